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
  /// A transfer, with its own `skip`, of the bytes of the answer from an offset on; nil when the
  /// object is not provably the same any more.
  let rest: @Loop @Sendable (_ offset: UInt64) async -> (transfer: Transfer, skip: UInt64)?
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
      if let failure = await feed(exchange, object) { return (await exchange.abort(), failure) }
      return (await exchange.finish(), nil)
    }
  }

  /// Relays the object's bytes, going on with another transfer where one broke. Returns why not
  /// all of them could be delivered; nil: they were.
  @Loop private func feed(_ exchange: Exchange, _ object: ObjectBody) async -> TransferError? {
    var (transfer, skip) = (object.transfer, object.skip)
    var delivered: UInt64 = 0
    var resumes = 0
    while true {
      let (count, error) = await exchange.relay(transfer, skip: skip)
      delivered += count
      if error == nil, delivered == object.length { return nil }
      let failure =
        error ?? TransferError(.broken, "\(delivered) of \(object.length) bytes came")
      guard failure.canBeResumed, resumes < Limits.resumes, exchange.sent == nil else {
        return failure
      }
      resumes += 1
      await Loop.sleep(milliseconds: .random(in: 1...Limits.resumeMilliseconds))
      guard let rest = await object.rest(delivered) else { return failure }
      (transfer, skip) = rest
    }
  }
}

extension TransferError {
  /// Whether the bytes that came are good and others may be had by asking again.
  fileprivate var canBeResumed: Bool {
    switch code {
    case .broken, .stalled: true
    case .cancelled, .invalid, .resolveFailed, .addressRefused, .connectFailed, .tlsFailed,
      .timeout, .protocolError, .tooLarge:
      false
    }
  }
}
