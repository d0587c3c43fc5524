// The two ends of a relay: a listener whose answers a test feeds, and a client that reads what
// arrives until the connection ends.

import CReactor
import Glibc
import Synchronization

/// Answers the requests of one listener on a ClientRun's loop.
final class RelayFront {
  let run: ClientRun
  private var listener: OpaquePointer!
  private let answer: (OpaquePointer) -> Void
  private(set) var sent: [cr_sent] = []
  private let whenSent: () -> Void

  init(
    _ run: ClientRun, answer: @escaping (OpaquePointer) -> Void,
    whenSent: @escaping () -> Void = {}
  ) {
    self.run = run
    self.answer = answer
    self.whenSent = whenSent
    let context = Unmanaged.passUnretained(self).toOpaque()
    let callbacks = cr_server_callbacks(
      context: context,
      on_request: { context, connection, _ in
        let front = Unmanaged<RelayFront>.fromOpaque(context!).takeUnretainedValue()
        front.run.note("request")
        front.answer(connection)
        return context
      },
      on_body: { _, _, _, _ in },
      on_room: { _ in },
      on_sent: { user, sent in
        let front = Unmanaged<RelayFront>.fromOpaque(user!).takeUnretainedValue()
        front.sent.append(sent.pointee)
        front.run.note("sent \(sent.pointee.outcome.rawValue)")
        front.whenSent()
      }, on_refused: nil, on_closed: nil)
    var message = [CChar](repeating: 0, count: 256)
    let result = "127.0.0.1".withCString { host in
      var config = cr_listener_config(
        host: host, port: 0, use_fd: false, fd: -1, tls: nil, head_timeout_ms: 5000,
        idle_timeout_ms: 5000, body_timeout_ms: 5000, write_stall_ms: 5000, max_connections: 100,
        max_connections_per_address: 0, shared_networks: nil, refusal: nil, refusal_len: 0,
        proxy_networks: nil)
      return cr_listener_open(run.loop, &config, callbacks, &listener, &message)
    }
    precondition(result == 0)
  }

  var port: UInt16 { cr_listener_port(listener) }

  static func begin(_ connection: OpaquePointer, length: Int) -> Int32 {
    var response = cr_response()
    response.status = 200
    response.content_length = UInt64(length)
    response.close = true
    return cr_respond_begin(connection, &response)
  }
}

/// A client of RelayFront: sends one request, then reads until the end.
final class Downstream: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var ended = false
  }
  private let state = Mutex(State())

  /// Starts to read `delay` microseconds after the request; closes after `limit` bytes.
  init(port: UInt16, delay: UInt32 = 0, limit: Int = .max, ended: @escaping @Sendable () -> Void) {
    startThread { [self] in
      let descriptor = connectTo(port)
      let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      _ = request.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      usleep(delay)
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      var total = 0
      while total < limit {
        let n = recv(descriptor, &buffer, min(buffer.count, limit - total), 0)
        if n <= 0 { break }
        total += n
        let part = buffer[..<n]
        state.withLock { $0.bytes += part }
      }
      close(descriptor)
      state.withLock { $0.ended = true }
      ended()
    }
  }

  /// The answer's body as far as it came.
  var body: String {
    state.withLock { state in
      let split = state.bytes.indices.first { state.bytes[$0...].starts(with: [13, 10, 13, 10]) }
      return split.map { String(decoding: state.bytes[($0 + 4)...], as: UTF8.self) } ?? ""
    }
  }
}

private func connectTo(_ port: UInt16) -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  address.sin_port = port.bigEndian
  let length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
  }
  precondition(result == 0)
  return descriptor
}
