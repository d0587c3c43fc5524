// A port of this machine at which nobody listens, kept from others until its owner is gone: one that
// was just left is soon another test's.

import Glibc

final class ClosedPort: Sendable {
  let number: UInt16
  private let descriptor: Int32

  /// Bound for both families, and never listening.
  init() throws {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(step: "socket", code: errno) }
    var both: Int32 = 0
    setsockopt(
      descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &both, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let failed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) != 0 || getsockname(descriptor, $0, &length) != 0
      }
    }
    guard !failed else {
      Glibc.close(descriptor)
      throw Failure(step: "bind", code: errno)
    }
    self.descriptor = descriptor
    number = UInt16(bigEndian: address.sin6_port)
  }

  deinit { Glibc.close(descriptor) }

  struct Failure: Error {
    let step: String
    let code: Int32
  }
}
