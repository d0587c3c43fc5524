// An upstream that says exactly what a test wants, truth or lie: raw sockets, one thread per
// connection, no HTTP library that could be too polite to lie.
//
// What threads share (heads, counts) is behind `lock`; a Peer belongs to its connection's thread.

import Glibc
import Synchronization

final class Upstream: Sendable {
  let port: UInt16
  private let listener: Int32
  private let script: @Sendable (Peer) -> Void
  private struct Seen {
    var heads: [String] = []
    var connections = 0
  }
  private let seen = Mutex(Seen())

  /// `script` runs once for each connection, on its own thread; the connection closes after it.
  convenience init(_ script: @escaping @Sendable (Peer) -> Void) {
    self.init(at: 0x7f00_0001, port: 0, script)!
  }

  /// Nil when the port is taken there.
  init?(at host: UInt32, port wanted: UInt16, _ script: @escaping @Sendable (Peer) -> Void) {
    self.script = script
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = host.bigEndian
    address.sin_port = wanted.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        guard bind(descriptor, $0, length) == 0, listen(descriptor, 1024) == 0 else { return false }
        return getsockname(descriptor, $0, &length) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard isBound else {
      Glibc.close(listener)
      return nil
    }
    startThread { [self] in acceptAll() }
  }

  /// One at 127.0.0.1 and one at 127.0.0.2, on the same port.
  static func pair(
    _ first: @escaping @Sendable (Peer) -> Void, _ second: @escaping @Sendable (Peer) -> Void
  ) -> (Upstream, Upstream) {
    while true {
      let one = Upstream(first)
      if let two = Upstream(at: 0x7f00_0002, port: one.port, second) { return (one, two) }
    }
  }

  /// Answers each request of each connection with the same bytes.
  convenience init(answer: String) {
    self.init { peer in
      while peer.readHead() != nil { peer.send(answer) }
    }
  }

  var heads: [String] { seen.withLock { $0.heads } }
  var connections: Int { seen.withLock { $0.connections } }

  func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

  fileprivate func note(_ head: String) { seen.withLock { $0.heads.append(head) } }

  private func acceptAll() {
    while true {
      let descriptor = accept(listener, nil, nil)
      if descriptor < 0 { return }
      let number = seen.withLock { seen in
        seen.connections += 1
        return seen.connections
      }
      startThread { [self] in
        let peer = Peer(descriptor, number, self)
        script(peer)
        peer.close()
      }
    }
  }
}

final class Peer {
  /// 1 for the upstream's first connection.
  let number: Int
  private let descriptor: Int32
  private let upstream: Upstream
  private var buffered: [UInt8] = []
  private var open = true

  fileprivate init(_ descriptor: Int32, _ number: Int, _ upstream: Upstream) {
    self.descriptor = descriptor
    self.number = number
    self.upstream = upstream
  }

  /// How many heads all of the upstream's connections have read.
  var upstreamHeads: Int { upstream.heads.count }

  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 16384)
    let n = recv(descriptor, &chunk, chunk.count, 0)
    guard n > 0 else { return false }
    buffered += chunk[..<n]
    return true
  }

  /// The next request's head without its empty line; nil when the client has closed.
  func readHead() -> String? {
    var searched = 0
    while true {
      var at = searched
      while at + 4 <= buffered.count {
        if buffered[at...].starts(with: [13, 10, 13, 10]) {
          let head = String(decoding: buffered[..<at], as: UTF8.self)
          buffered.removeFirst(at + 4)
          upstream.note(head)
          return head
        }
        at += 1
      }
      searched = at
      guard fill() else { return nil }
    }
  }

  func readBody(_ count: Int) -> String? {
    while buffered.count < count { guard fill() else { return nil } }
    defer { buffered.removeFirst(count) }
    return String(decoding: buffered[..<count], as: UTF8.self)
  }

  /// False when the client does not take it any more.
  @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let n = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard n > 0 else { return false }
      sent += n
    }
    return true
  }

  /// Returns when the client has closed.
  func waitForClose() { while fill() {} }

  func close() {
    if open { Glibc.close(descriptor) }
    open = false
  }

  /// Closes with a reset instead of an orderly end.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    close()
  }
}

private final class Body: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

func startThread(_ run: @escaping @Sendable () -> Void) {
  var thread = pthread_t()
  let body = Unmanaged.passRetained(Body(run)).toOpaque()
  let result = pthread_create(
    &thread, nil,
    { context in
      Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
      return nil
    }, body)
  precondition(result == 0)
  pthread_detach(thread)
}

/// A listener whose queue is full: no further connection comes about. The descriptors that keep it
/// so, and its port.
func deafListener() -> ([Int32], UInt16) {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let stream = Int32(SOCK_STREAM.rawValue)
  let listener = socket(AF_INET, stream, 0)
  var descriptors = [listener]
  withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      precondition(bind(listener, $0, length) == 0)
      precondition(listen(listener, 0) == 0)
      getsockname(listener, $0, &length)
      for _ in 0..<4 {
        let client = socket(AF_INET, stream | Int32(SOCK_NONBLOCK.rawValue), 0)
        _ = connect(client, $0, length)
        descriptors.append(client)
      }
    }
  }
  return (descriptors, UInt16(bigEndian: address.sin_port))
}
