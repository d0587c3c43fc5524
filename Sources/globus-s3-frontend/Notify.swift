// Notify: what a service manager wants to know, as sd_notify(3) has it: one datagram for each
// change to the socket in NOTIFY_SOCKET, and a sign of life while WATCHDOG_USEC asks for one.

import Glibc
import Reactor

@Loop final class Notify {
  private let address: [UInt8]
  /// Between two signs of life; nil: nobody waits for them.
  let watchdogMilliseconds: UInt64?

  /// Silent when nobody listens, which is so outside of a service manager.
  init(environment: [String: String]) {
    var address = Array((environment["NOTIFY_SOCKET"] ?? "").utf8)
    // Linux's abstract names, which begin with a NUL.
    if address.first == UInt8(ascii: "@") { address[0] = 0 }
    self.address = address
    let isForUs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
    let patience = environment["WATCHDOG_USEC"].flatMap { UInt64($0) } ?? 0
    watchdogMilliseconds = isForUs && patience > 0 ? max(patience / 2_000, 1) : nil
  }

  func ready() { send("READY=1") }
  func reloading() { send("RELOADING=1\nMONOTONIC_USEC=\(Loop.clockMicroseconds)") }
  func stopping() { send("STOPPING=1") }
  func alive() { send("WATCHDOG=1") }

  /// Gives signs of life as long as the loop turns, until the task is cancelled.
  func startWatchdog() -> Task<Void, Never>? {
    watchdogMilliseconds.map { milliseconds in
      Loop.start {
        repeat { self.alive() } while await Loop.sleep(milliseconds: milliseconds)
      }
    }
  }

  /// A manager that can't be reached does not keep the service from serving.
  private func send(_ state: String) {
    guard !address.isEmpty, address.count < 108 else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var target = sockaddr_un()
    target.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
    let bytes = Array(state.utf8)
    withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(
          descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT),
          $0, length)
      }
    }
  }
}
