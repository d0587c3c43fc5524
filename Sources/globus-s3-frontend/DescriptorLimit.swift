// DescriptorLimit: how many files and sockets the process may have open, and what that leaves for
// connections.
//
// Half of them are for clients' connections. The other half is for what serves them: a download
// takes two descriptors upstream, the audit a handful.

import Glibc

enum DescriptorLimit {
  /// How many the process may have open, once the soft limit was raised to the hard one.
  static let raised: Int = {
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(files, &limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      setrlimit(files, &limit)
      getrlimit(files, &limit)
    }
    return Int(clamping: limit.rlim_cur)
  }()

  /// The most connections that each of so many listeners may have.
  static func connections(listeners: Int) -> UInt32 {
    UInt32(clamping: max(raised / 2 / max(listeners, 1), 1))
  }
}
