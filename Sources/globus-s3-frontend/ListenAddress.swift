// ListenAddress: where a server listens, as flags name it.

import ArgumentParser

/// `HOST:PORT`; an IPv6 address stands in brackets.
struct ListenAddress: ExpressibleByArgument, Sendable, CustomStringConvertible {
  /// Without brackets.
  let host: String
  let port: UInt16
  /// One that listens there already, left to this process.
  var socket: Int32?

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"),
      let port = UInt16(argument[argument.index(after: colon)...])
    else { return nil }
    var host = argument[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: port)
  }

  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
  var defaultValueDescription: String { description }
}
