// SocketActivation: listening sockets that a service manager opened and left to this process, as
// sd_listen_fds(3) has it: descriptors from 3 on, their number in LISTEN_FDS, their names in
// LISTEN_FDNAMES, meant for the process in LISTEN_PID.
//
// While the service is replaced the sockets stay open there, and clients wait in their backlog.

import Glibc

struct SocketActivation {
  /// In place of --listen; empty: none were left.
  private(set) var listen: [ListenAddress] = []
  /// The one named `operations`, in place of --operations-listen.
  private(set) var operations: ListenAddress?

  private static let first: Int32 = 3

  /// Takes what was left to this process, and its variables out of the environment. Throws, with
  /// the line to print, when it is not what can be listened on.
  static func take() throws(ConfigurationError) -> SocketActivation {
    let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
    let values = variables.map { name in getenv(name).map { String(cString: $0) } }
    for name in variables { unsetenv(name) }
    var activation = SocketActivation()
    guard let process = values[0], let text = values[1], process == String(getpid()) else {
      return activation
    }
    guard let count = Int32(text), 0...Limits.inheritedSockets ~= count else {
      throw ConfigurationError("LISTEN_FDS must be a number, 0 to \(Limits.inheritedSockets)")
    }
    let names = (values[2] ?? "").split(separator: ":", omittingEmptySubsequences: false)
    for descriptor in first..<first + count {
      let index = Int(descriptor - first)
      let name = index < names.count ? String(names[index]) : ""
      let address = try self.address(descriptor, name)
      if name == "operations", activation.operations == nil {
        activation.operations = address
      } else {
        activation.listen.append(address)
      }
    }
    return activation
  }

  private static func address(
    _ descriptor: Int32, _ name: String
  ) throws(ConfigurationError) -> ListenAddress {
    guard option(SO_ACCEPTCONN, of: descriptor) == 1,
      option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
      var address = ListenAddress(ofSocket: descriptor)
    else {
      throw ConfigurationError(
        "the descriptor \(descriptor) (\(name)) of LISTEN_FDS must be a TCP socket that listens; "
          + "in a socket unit, ListenStream=PORT and Accept=no")
    }
    // Nobody that is started from here is to have it.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    address.socket = descriptor
    return address
  }

  private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
  }
}

extension ListenAddress {
  /// Where a socket is bound; nil when that is no address of IPv4 or IPv6.
  fileprivate init?(ofSocket descriptor: Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let failed = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(descriptor, address, &length) != 0
          || getnameinfo(
            address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
            NI_NUMERICHOST | NI_NUMERICSERV) != 0
      }
    }
    let families = [sa_family_t(AF_INET), sa_family_t(AF_INET6)]
    guard !failed, families.contains(storage.ss_family),
      let number = UInt16(port.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    else { return nil }
    self.init(
      host: host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }, port: number)
  }
}
