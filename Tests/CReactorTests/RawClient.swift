// A client that is a socket and nothing else, so that it can be as rude as a test needs.

import Glibc

final class RawClient {
  enum End { case closed, reset, waiting }

  private(set) var fd: Int32

  init(_ port: UInt16, receiveBuffer: Int32 = 0) {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var on: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    if receiveBuffer > 0 {
      var size = receiveBuffer
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, 4)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(result == 0, "can't connect: \(errno)")
  }

  deinit { close() }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var at = 0
    while at < bytes.count {
      let n = bytes.withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress! + at, bytes.count - at, Int32(MSG_NOSIGNAL))
      }
      if n <= 0 { return false }
      at += n
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Sends the letter b until the server has not taken any for a while, at most `limit` bytes.
  func flood(_ limit: Int) -> Int {
    let piece = [UInt8](repeating: 0x62, count: 65_536)
    var sent = 0
    while sent < limit {
      var waiter = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
      if poll(&waiter, 1, 300) == 0 { break }
      let n = Glibc.send(fd, piece, piece.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      if n <= 0 { break }
      sent += n
    }
    return sent
  }

  func finishSending() { shutdown(fd, Int32(SHUT_WR)) }

  func close() {
    if fd >= 0 { Glibc.close(fd) }
    fd = -1
  }

  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  /// Everything until the server ends the connection or is silent for `patience` milliseconds.
  func receive(patience: Int32 = 10_000) -> (bytes: [UInt8], end: End) {
    receive(atLeast: Int.max, patience: patience)
  }

  func receive(atLeast wanted: Int, patience: Int32 = 10_000) -> (bytes: [UInt8], end: End) {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < wanted {
      var waiter = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
      if poll(&waiter, 1, patience) == 0 { return (bytes, .waiting) }
      let n = recv(fd, &piece, piece.count, 0)
      if n < 0 { return (bytes, .reset) }
      if n == 0 { return (bytes, .closed) }
      bytes += piece[..<n]
    }
    return (bytes, .waiting)
  }

  func receiveText(patience: Int32 = 10_000) -> String {
    String(decoding: receive(patience: patience).bytes, as: UTF8.self)
  }

  /// Reads one answer, whose body is `body` bytes long, and leaves the connection open.
  func receiveAnswer(body: Int) -> String {
    var bytes: [UInt8] = []
    while true {
      if let end = Self.headEnd(bytes), bytes.count >= end + body { break }
      let more = receive(atLeast: 1).bytes
      if more.isEmpty { break }
      bytes += more
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for i in 0...(bytes.count - 4) where bytes[i...].starts(with: [13, 10, 13, 10]) { return i + 4 }
    return nil
  }
}

/// One connection: sends, ends its side, and gives everything that came back.
func roundTrip(_ server: TestServer, _ request: String, byteByByte: Bool = false) -> String {
  let client = RawClient(server.port)
  if byteByByte {
    for byte in request.utf8 where !client.send([byte]) { break }
  } else {
    client.send(request)
  }
  client.finishSending()
  return client.receiveText()
}

extension String {
  /// The status codes of the answers in it, in order.
  var statuses: [Int] {
    ranges(of: "HTTP/1.1 ").compactMap { Int(self[$0.upperBound...].prefix(3)) }
  }
}
