// Exchange: one request and its answer.
//
// `connection` is valid until C reports the end of the answer (`onSent`), which comes exactly once
// for every request and may come before any answer, when the client has vanished. After it every
// call here is harmless and says how the answer ended. C holds one reference until then.

internal import CReactor

/// How an answer ended, and what of it went out.
public struct Sent: Sendable {
  public enum Outcome: Sendable {
    /// Every byte was handed to the kernel; whether the client read them is not known.
    case complete
    /// The client reset or closed before the answer was out.
    case clientGone
    /// The client took no byte for `Server.Limits.writeStallMilliseconds`.
    case timeout
    /// Given up by the server: `Exchange.abort`, a handler that returned without an answer, or the
    /// loop's end.
    case aborted
  }
  public let outcome: Outcome
  /// The status that went out; 0 when no byte of a head did.
  public let status: Int
  /// Body bytes handed to the kernel.
  public let bodyBytes: UInt64
  /// Body bytes read from the client, those that nobody asked for included.
  public let bytesIn: UInt64
  /// When the head and the last byte went out, on `Loop.clockMicroseconds`; 0: never.
  public let firstByteMicroseconds, lastByteMicroseconds: UInt64
}

/// Why a request's body could not be read.
public enum BodyError: Error, Sendable {
  /// It is, or says it is, longer than the limit; 413 is the status that fits.
  case tooLarge
  /// Its chunks are malformed; 400 fits.
  case malformed
  /// The client sent nothing for `Server.Limits.bodyTimeoutMilliseconds`; 408 fits.
  case timeout
  /// The client closed or vanished before the body's end, or the body was asked for before.
  case interrupted
}

/// One request, to be answered exactly once: by `respond`, or by `begin` and then `write` or `relay`
/// until as many bytes are given as were declared, and `finish`.
///
/// A handler (`Server.Handler`) is given one and works on it from one task; at most one call is waited
/// for at a time. Content-Length, Date and Connection are added to an answer, "100 Continue" is sent
/// when it is needed, and a body that nobody asked for is dropped. When the client vanishes or takes
/// nothing for too long, the answer has ended (`sent`): calls that wait return, further ones do
/// nothing, and the handler's task is cancelled. So a handler need not ask whether anybody is there.
@Loop public final class Exchange {
  /// The request's method, target and headers; or, when `head.malformed` is set, why it is none.
  public let head: RequestHead
  /// The numeric address that the connection came from.
  public let peerAddress: String
  /// The client's, as the connection's PROXY header names it; else the peer's.
  public let clientAddress: String
  /// Whether the connection is encrypted.
  public let isTLS: Bool
  /// The how-manieth connection of its listener this is, from 0; modulo 2^32.
  public let connectionNumber: UInt32
  /// When the request's head had come: `Loop.wallClockMicroseconds`, `Loop.clockMicroseconds`.
  public let startedAt: (wall: Int64, clock: UInt64)
  /// How the answer ended; nil until it has.
  public private(set) var sent: Sent?

  /// Among its server's.
  var position = 0
  private var connection: OpaquePointer?
  private var task: Task<Void, Never>?
  private var sentContinuations: [UnsafeContinuation<Sent, Never>] = []
  private var bodyContinuation: CheckedContinuation<Result<[UInt8], BodyError>, Never>?
  private var roomContinuation: CheckedContinuation<Bool, Never>?

  init(_ connection: OpaquePointer, _ head: borrowing cr_head) {
    self.connection = connection
    self.head = RequestHead(head)
    peerAddress = String(cString: cr_conn_peer(connection))
    clientAddress = String(cString: cr_conn_client(connection))
    isTLS = cr_conn_is_tls(connection)
    connectionNumber = cr_conn_number(connection)
    let received = cr_conn_received_us(connection)
    let waited = Int64(Loop.clockMicroseconds - received)
    startedAt = (Loop.wallClockMicroseconds - waited, received)
  }

  /// Runs the handler as a task of its own, which is cancelled when the client vanishes. A handler
  /// that returns without an answer leaves the client a closed connection, never a hanging one.
  func start(_ server: Server) {
    server.started(self)
    task = Loop.start {
      await server.handler(self)
      if self.sent == nil { _ = await self.abort() }
      server.ended(self)
    }
  }

  /// Reads the request's whole body, of at most `limit` bytes, into memory; can be asked for once.
  /// Returns no bytes for a request without a body. A body that is longer, malformed or late throws,
  /// and can still be answered; the connection closes after that.
  public func readBody(limit: Int) async throws(BodyError) -> [UInt8] {
    guard let connection else { throw .interrupted }
    guard head.hasBody else { return [] }
    let result = await withCheckedContinuation { continuation in
      bodyContinuation = continuation
      if cr_request_read_body(connection, limit) != 0 {
        bodyContinuation = nil
        continuation.resume(returning: .failure(.interrupted))
      }
    }
    return try result.get()
  }

  /// Answers in one piece and returns when the answer has ended: when the kernel has all of it, or
  /// sooner when the client is gone. It may take the place of a begun answer of which no byte went
  /// anywhere. A second answer, or a status that is not from 200 to 599, is given up as by `abort`.
  ///
  /// - Parameters:
  ///   - headers: without Content-Length, Date and Connection.
  ///   - body: not sent to a HEAD, nor with status 204 and 304.
  ///   - length: to a HEAD, the Content-Length that a GET would have; otherwise without meaning, as
  ///     the body's own is declared.
  ///   - close: whether the connection closes afterwards. It does so by itself after a malformed
  ///     request, when the client asks for it, and when the server closes.
  public func respond(
    _ status: Int, _ headers: Headers, body: [UInt8] = [], length: UInt64? = nil,
    close: Bool = false
  ) async -> Sent {
    let lines = headers.lines
    if let connection {
      let failed = withResponse(status, lines, length ?? UInt64(body.count), close) { response in
        body.withUnsafeBytes { bytes in
          response.body = bytes.baseAddress
          response.body_len = bytes.count
          return cr_respond(connection, &response)
        }
      }
      if failed != 0 { cr_respond_abort(connection) }
    }
    return await finish()
  }

  /// Starts an answer whose `length` body bytes follow by `write` or `relay`. Its head goes out with
  /// the first of them: until then `respond` may say something else. An answer to a HEAD, and one of
  /// 0 bytes, is complete with this. False, and nothing is changed, when there is nobody to answer any
  /// more or the request has an answer.
  public func begin(_ status: Int, _ headers: Headers, length: UInt64) -> Bool {
    guard let connection else { return false }
    return withResponse(status, headers.lines, length, false) {
      cr_respond_begin(connection, &$0) == 0
    }
  }

  /// Appends body bytes, which are taken at once, and waits while more than 208 KiB of them are kept
  /// for a slow client. False when the answer has ended, or when the bytes are more than was declared;
  /// in that case none of them is sent.
  public func write(_ bytes: [UInt8]) async -> Bool {
    guard let connection else { return false }
    switch bytes.withUnsafeBytes({ cr_respond_write(connection, $0.baseAddress!, $0.count) }) {
    case 0: return true
    case 1: return await withCheckedContinuation { roomContinuation = $0 }
    default: return false
    }
  }

  /// Feeds a transfer's body into the begun answer and returns at the transfer's end. The bytes never
  /// enter Swift. The transfer is read no faster than the client takes it; when the answer ends early,
  /// since the client vanishes or by `abort`, it ends with the error `.cancelled`. A cancelled task
  /// goes on waiting, so that no byte is left uncounted. The last byte declared is held back until the
  /// transfer has ended well, so that a broken one never looks whole.
  ///
  /// The answer stays open when bytes are missing: another transfer may go on behind `delivered`, or
  /// `abort` shows the client that its length can't be kept.
  ///
  /// - Parameters:
  ///   - skip: bytes of the transfer's body to drop first.
  ///   - take: more than 0: after so many bytes the transfer is ended as if that were its own good
  ///     end, and its connection closed.
  /// - Returns: how many bytes the answer took, and why the transfer broke; nil when it ended well.
  public func relay(
    _ transfer: Transfer, skip: UInt64 = 0, take: UInt64? = nil
  ) async -> (delivered: UInt64, error: TransferError?) {
    guard let connection else {
      transfer.cancel()
      return (0, TransferError(.cancelled, "the client is gone"))
    }
    let ended = transfer.relay(into: connection, skip: skip, take: take ?? 0)
    let done =
      if let ended { ended } else { await withUnsafeContinuation { transfer.whenDone($0) } }
    return (done.relayedBytes, done.error)
  }

  /// Waits for the end of the answer: for a complete one, until the kernel has it. Never returns
  /// while a begun answer lacks bytes that nobody gives and the client is patient.
  public func finish() async -> Sent {
    if let sent { return sent }
    return await withUnsafeContinuation { continuation in
      if let sent {
        continuation.resume(returning: sent)
      } else {
        sentContinuations.append(continuation)
      }
    }
  }

  /// Gives up on the answer, visibly: the connection is closed, or reset in the midst of a body, so
  /// that no client takes a part for the whole. Harmless when the answer has ended.
  public func abort() async -> Sent {
    if let connection { cr_respond_abort(connection) }
    return await finish()
  }

  fileprivate func onBody(_ result: Result<[UInt8], BodyError>) {
    bodyContinuation?.resume(returning: result)
    bodyContinuation = nil
  }

  fileprivate func onRoom() {
    roomContinuation?.resume(returning: true)
    roomContinuation = nil
  }

  fileprivate func onSent(_ sent: Sent) {
    connection = nil
    self.sent = sent
    for continuation in sentContinuations { continuation.resume(returning: sent) }
    sentContinuations = []
    roomContinuation?.resume(returning: false)
    roomContinuation = nil
    onBody(.failure(.interrupted))
    if sent.outcome != .complete { task?.cancel() }
    task = nil
  }
}

private func withResponse<T>(
  _ status: Int, _ lines: [UInt8], _ length: UInt64, _ close: Bool,
  _ body: (inout cr_response) -> T
) -> T {
  lines.withUnsafeBytes { lines in
    var response = cr_response()
    response.status = Int32(status)
    response.headers = lines.assumingMemoryBound(to: CChar.self).baseAddress
    response.headers_len = lines.count
    response.content_length = length
    response.close = close
    return body(&response)
  }
}

// The C callbacks of a listener. `user` is the exchange, +1 from onRequest to onSent.

private func exchange(_ user: UnsafeMutableRawPointer?) -> Exchange {
  Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
}

func exchangeOnRequest(
  _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer, _ head: UnsafePointer<cr_head>
) -> UnsafeMutableRawPointer? {
  let server = Unmanaged<Server>.fromOpaque(context!).takeUnretainedValue()
  // C calls this on the loop's thread, where the closure runs at once: nothing is sent anywhere.
  nonisolated(unsafe) let (connection, head) = (connection, head)
  let user = Loop.assumeIsolated { () -> UInt in
    let exchange = Exchange(connection, head.pointee)
    exchange.start(server)
    return UInt(bitPattern: Unmanaged.passRetained(exchange).toOpaque())
  }
  return UnsafeMutableRawPointer(bitPattern: user)
}

func exchangeOnBody(
  _ user: UnsafeMutableRawPointer?, _ status: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int
) {
  let exchange = exchange(user)
  let result: Result<[UInt8], BodyError> =
    switch status {
    case CR_OK.rawValue: .success(Array(UnsafeBufferPointer(start: bytes, count: count)))
    case CR_ETOOLARGE.rawValue: .failure(.tooLarge)
    case CR_EINVALID.rawValue: .failure(.malformed)
    case CR_ETIMEOUT.rawValue: .failure(.timeout)
    default: .failure(.interrupted)
    }
  Loop.assumeIsolated { exchange.onBody(result) }
}

func exchangeOnRoom(_ user: UnsafeMutableRawPointer?) {
  let exchange = exchange(user)
  Loop.assumeIsolated { exchange.onRoom() }
}

func exchangeOnSent(_ user: UnsafeMutableRawPointer?, _ report: UnsafePointer<cr_sent>) {
  let exchange = Unmanaged<Exchange>.fromOpaque(user!).takeRetainedValue()
  let outcome: Sent.Outcome =
    switch report.pointee.outcome {
    case CR_SENT_OK: .complete
    case CR_SENT_CLIENT_GONE: .clientGone
    case CR_SENT_TIMEOUT: .timeout
    default: .aborted
    }
  let sent = Sent(
    outcome: outcome, status: Int(report.pointee.status), bodyBytes: report.pointee.body_bytes,
    bytesIn: report.pointee.bytes_in, firstByteMicroseconds: report.pointee.first_byte_us,
    lastByteMicroseconds: report.pointee.last_byte_us)
  Loop.assumeIsolated { exchange.onSent(sent) }
}
