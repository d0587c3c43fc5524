// Reply: the whole of an answer but for what every answer has, as actions return it.

import Reactor

struct Reply: Sendable {
  enum Body: Sendable {
    case bytes([UInt8])
    /// No body, and the Content-Length that a GET would have: for HEAD.
    case none(length: UInt64)
    case object(ObjectBody)
  }

  var status: Int
  var headers: Headers = [:]
  var body: Body = .bytes([])
  /// Bytes of the whole object that this is about.
  var objectSize: UInt64?
}

/// An object's bytes on their way: a transfer whose first `skip` bytes are dropped and that then
/// has `length` bytes for the answer.
struct ObjectBody: Sendable {
  let transfer: Transfer
  let skip: UInt64
  let length: UInt64
}

extension Reply {
  /// Sends the answer and waits for its end. `failure` is what broke the body upstream; the
  /// client's connection was cut then, so that it can't take a part for the whole.
  @Loop func send(
    on exchange: Exchange, close: Bool = false
  ) async -> (sent: Sent, failure: TransferError?) {
    switch body {
    case .bytes(let bytes):
      return (await exchange.respond(status, headers, body: bytes, close: close), nil)
    case .none(let length):
      return (await exchange.respond(status, headers, length: length, close: close), nil)
    case .object(let object):
      guard exchange.begin(status, headers, length: object.length) else {
        object.transfer.cancel()
        return (await exchange.finish(), nil)
      }
      let (delivered, error) = await exchange.relay(object.transfer, skip: object.skip)
      if error == nil, delivered == object.length { return (await exchange.finish(), nil) }
      let failure =
        error ?? TransferError(.broken, "\(delivered) of \(object.length) bytes came")
      return (await exchange.abort(), failure)
    }
  }
}
