// DescriptorLimit: how many files and sockets the process may have open, and what that leaves for
// connections.
//
// Half of them are for clients' connections. The other half is for what serves them: a download
// takes two descriptors upstream, the audit a handful.

import Glibc
import Logging
import Reactor

enum DescriptorLimit {
  /// Raises the soft limit to the hard one; how many may be open then.
  static func raise() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// The limits of each of so many listeners, with as many connections as descriptors allow.
  static func fit(_ limits: Server.Limits, listeners: Int, logger: Logger) -> Server.Limits {
    var limits = limits
    let descriptors = raise()
    let most = UInt32(clamping: max(descriptors / 2 / max(listeners, 1), 1))
    if limits.maxConnections > most {
      logger.warning(
        "fewer connections than --max-connections: the process may not open enough files",
        metadata: ["connections": "\(most)", "open_files": "\(descriptors)"])
      limits.maxConnections = most
    }
    return limits
  }
}
