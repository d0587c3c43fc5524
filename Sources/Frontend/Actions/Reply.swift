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

/// Bytes of an answer in a transfer's body: behind its first `skip` bytes, and `take` of them, or
/// all that follow.
struct BodyPart: Sendable {
  let transfer: Transfer
  let skip: UInt64
  let take: UInt64?
}

/// Why a broken transfer was not gone on with; for the log and the audit.
struct ResumeFailure: Error {
  let reason: String
}

/// An object's bytes on their way to an answer of `length` bytes.
struct ObjectBody: Sendable {
  let first: BodyPart
  let length: UInt64
  /// The bytes of the answer from an offset on, from another node than those at the addresses, if
  /// the object is provably the same.
  let rest:
    @Loop @Sendable (_ offset: UInt64, _ avoiding: [String]) async
      -> Result<BodyPart, ResumeFailure>
}

extension Reply {
  /// Sends the answer and waits for its end. `failure` is what broke the body upstream. The client's
  /// connection was cut then, so that it can't take a part for the whole; or `sent` is nil: no byte
  /// is out, and another answer can be given.
  @Loop func send(
    on exchange: Exchange, close: Bool = false
  ) async -> (sent: Sent?, failure: TransferError?) {
    switch body {
    case .bytes(let bytes):
      return (await exchange.respond(status, headers, body: bytes, close: close), nil)
    case .none(let length):
      return (await exchange.respond(status, headers, length: length, close: close), nil)
    case .object(let object):
      guard exchange.begin(status, headers, length: object.length) else {
        object.first.transfer.cancel()
        return (await exchange.finish(), nil)
      }
      let part = object.first
      let end = await exchange.relay(part.transfer, skip: part.skip, take: part.take)
      if end.error == nil, end.delivered == object.length { return (await exchange.finish(), nil) }
      let (delivered, failure) = await goOn(exchange, object, after: end)
      guard let failure else { return (await exchange.finish(), nil) }
      if delivered == 0, exchange.sent == nil { return (nil, failure) }
      return (await exchange.abort(), failure)
    }
  }

  /// Goes on with another transfer where one broke. `failure` says why not all of the object's bytes
  /// could be delivered; nil: they were.
  @Loop private func goOn(
    _ exchange: Exchange, _ object: ObjectBody,
    after first: (delivered: UInt64, error: TransferError?)
  ) async -> (delivered: UInt64, failure: TransferError?) {
    var part = object.first
    var end = first
    var delivered: UInt64 = 0
    var broken: [String] = []
    while true {
      delivered += end.delivered
      if end.error == nil, delivered == object.length { return (delivered, nil) }
      let failure =
        end.error ?? TransferError(.broken, "\(delivered) of \(object.length) bytes came")
      guard failure.canBeResumed, exchange.sent == nil else { return (delivered, failure) }
      guard broken.count < Limits.resumes else {
        return (delivered, failure.adding("gone on with often enough"))
      }
      broken.append(part.transfer.head.address)
      await Loop.sleep(milliseconds: .random(in: 1...Limits.resumeMilliseconds))
      switch await object.rest(delivered, broken) {
      case .success(let rest): part = rest
      case .failure(let failed):
        return (delivered, failure.adding("not gone on with: \(failed.reason)"))
      }
      end = await exchange.relay(part.transfer, skip: part.skip, take: part.take)
    }
  }
}

extension TransferError {
  fileprivate func adding(_ text: String) -> TransferError {
    TransferError(code, "\(message); \(text)", address: address)
  }

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
