// HTTPClient and Transfer: requests to other servers through libcurl.
//
// A transfer in C ends exactly once (`onDone`), and holds one reference to its TransferState until
// then. The body of a Transfer is consumed once: collected, relayed or cancelled; one that is
// dropped unconsumed is cancelled.

internal import CReactor

/// Why a transfer failed. An answer of any status is none of these.
public struct TransferError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// By the task, `Transfer.cancel`, the early end of the answer it was relayed into, or the loop's.
    case cancelled
    /// The URL, its scheme, the method or a header can't be used. Nothing was sent.
    case invalid
    /// The name has no address, or nobody could say.
    case resolveFailed
    /// The name has only addresses that `HTTPClient.Configuration` does not allow.
    case addressRefused
    case connectFailed
    /// In the handshake, or the certificate is not trusted.
    case tlsFailed
    /// No head within `TransferRequest.firstByteTimeoutMilliseconds`.
    case timeout
    /// No body byte for `TransferRequest.stallTimeoutMilliseconds`.
    case stalled
    /// The connection ended before the answer did.
    case broken
    /// What came is no HTTP answer, or its head is over 64 KiB.
    case protocolError
    /// The body is longer than the limit asked for, or than what is relayed into it declared.
    case tooLarge
  }
  public let code: Code
  /// For logs: no URL and no header is in it.
  public let message: String
  /// The other server's numeric address; "" when no connection was made.
  public let address: String

  public init(_ code: Code, _ message: String, address: String = "") {
    self.code = code
    self.message = message
    self.address = address
  }

  public var description: String { "\(code): \(message)" }
}

/// What to ask of another server. Redirects are not followed, and nothing is asked twice.
public struct TransferRequest: Sendable {
  /// "GET", "HEAD", "POST", "PUT" or "DELETE".
  public var method: String
  /// Absolute, https unless `HTTPClient.Configuration.allowPlainHTTP`; the path and query are sent as
  /// they stand, not normalised. At most 16 KiB.
  public var url: String
  /// Without Host and Content-Length, which are added.
  public var headers: Headers
  /// Of a POST or PUT; empty otherwise.
  public var body: [UInt8] = []
  /// For finding the name's addresses and connecting, TLS included, to one of them.
  public var connectTimeoutMilliseconds: UInt32 = 10_000
  /// From the start, waiting for its turn included, to the answer's head; 0: for ever.
  public var firstByteTimeoutMilliseconds: UInt32 = 60_000
  /// Between two body bytes, while the reader of the body is not the one who is slow; 0: for ever.
  public var stallTimeoutMilliseconds: UInt32 = 60_000
  /// Which connection it goes over.
  public var connection = Connection.any
  /// Close the connection after an answer of status 400 and up: what ails the server may be the
  /// connection's.
  public var closesOnError = false

  public enum Connection: Sendable, Equatable {
    /// One that is open, if there is one.
    case any
    /// A new one, after a new look-up of the name. The numeric addresses `avoiding` are connected
    /// to only when none of the name's others can be.
    case fresh(avoiding: [String])
  }

  public init(_ method: String, _ url: String, headers: Headers = [:], body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// The head of another server's answer: the final one, not 1xx.
public struct ResponseHead: Sendable {
  public let status: Int
  /// As received, but for control bytes in values, which are spaces here. A body is not decoded
  /// according to Content-Encoding.
  public let headers: Headers
  /// The declared length of the body, if one was declared.
  public let contentLength: UInt64?
  /// The peer's numeric address.
  public let address: String
}

/// Requests to one kind of server, by HTTP/1.1: whom to trust, what addresses to allow, and a pool of
/// connections, which are used again. Keep it as long as its transfers: they end with it.
@Loop public final class HTTPClient {
  public struct Configuration: Sendable {
    /// Certificates of trusted authorities, a PEM file; nil: the system's.
    public var caFile: String?
    /// Honour HTTPS_PROXY and NO_PROXY.
    public var useEnvironmentProxy = false
    /// Whether http URLs are allowed beside https.
    public var allowPlainHTTP = false
    /// When false only public addresses, and those in `allowedNetworks`, are connected to, whatever
    /// a name resolves to.
    public var allowAnyAddress = false
    /// CIDR texts, such as "10.0.0.0/8" or "fd00::/8".
    public var allowedNetworks: [String] = []
    /// Transfers under way at once, those included whose body nobody reads just now.
    public var maxActive: UInt32 = 64
    /// Of these, those to one host that wait for the answer's head; others wait in order. Nil: as
    /// many as the host's latency asks for.
    public var maxUnansweredPerHost: UInt32?
    /// Nil: no User-Agent is sent.
    public var userAgent: String?
    public init() {}
  }

  private let raw: OpaquePointer

  /// Throws when a network is no CIDR text. Connects nowhere yet.
  public init(_ configuration: Configuration) throws(ReactorError) {
    var raw: OpaquePointer?
    let networks = configuration.allowedNetworks.joined(separator: ",")
    let (failed, message) = withOptionalCString(configuration.caFile) { caFile in
      withOptionalCString(configuration.userAgent) { userAgent in
        networks.withCString { networks in
          var config = cr_client_config()
          config.ca_file = caFile
          config.use_environment_proxy = configuration.useEnvironmentProxy
          config.allow_plain_http = configuration.allowPlainHTTP
          config.allow_any_address = configuration.allowAnyAddress
          config.allowed_networks = networks
          config.max_active = configuration.maxActive
          config.max_unanswered = configuration.maxUnansweredPerHost ?? 0
          config.user_agent = userAgent
          return withMessage { cr_client_new(LoopExecutor.shared.loop, &config, &raw, $0) }
        }
      }
    }
    guard failed == 0, let raw else { throw ReactorError(message: message) }
    self.raw = raw
  }

  isolated deinit { cr_client_close(raw) }

  /// Starts a transfer and returns with the answer's head, whatever its status; the body waits to be
  /// consumed. Cancelling the task ends the transfer with `.cancelled`, here and while the body is
  /// collected.
  public func start(_ request: TransferRequest) async throws(TransferError) -> Transfer {
    let state = TransferState()
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { state.start(request, raw, $0) }
    } onCancel: {
      Loop.perform { state.cancel() }
    }
    return Transfer(head: try result.get(), state: state)
  }

  /// `start` and `Transfer.collect` in one: the answer's head and its body of at most `limit` bytes.
  public func fetch(
    _ request: TransferRequest, limit: Int
  ) async throws(TransferError) -> (head: ResponseHead, body: [UInt8]) {
    let transfer = try await start(request)
    return (transfer.head, try await transfer.collect(limit: limit))
  }
}

/// An answer whose head has come and whose body waits to be consumed, once: by `collect`, by
/// `Exchange.relay`, or not at all, by `cancel` or by letting go of this object. Until then the
/// connection is not read beyond its buffers.
@Loop public final class Transfer {
  public let head: ResponseHead
  private let state: TransferState

  fileprivate init(head: ResponseHead, state: TransferState) {
    self.head = head
    self.state = state
  }

  isolated deinit { state.cancelUnconsumed() }

  /// The whole body, in memory. Throws `.tooLarge` as soon as it is over `limit` bytes, and `.broken`
  /// when it ends before its declared length.
  public func collect(limit: Int) async throws(TransferError) -> [UInt8] {
    let done = await state.consume { cr_transfer_collect($0, limit) }
    if let error = done.error { throw error }
    return done.body
  }

  /// Ends the transfer; whoever waits for it gets `.cancelled`. Harmless when it has ended.
  public func cancel() { state.cancel() }

  /// Has C feed the body into the connection's answer. How that ended, if it has: else `whenDone`
  /// will tell. C cancels the transfer when the answer ends, so that cancelling the task need not.
  func relay(into connection: OpaquePointer, skip: UInt64, take: UInt64) -> TransferDone? {
    state.attach { cr_respond_relay(connection, $0, skip, take) }
  }

  func whenDone(_ continuation: UnsafeContinuation<TransferDone, Never>) {
    state.whenDone(continuation)
  }
}

struct TransferDone: Sendable {
  let error: TransferError?
  let body: [UInt8]
  let relayedBytes: UInt64
}

@Loop private final class TransferState {
  private var raw: OpaquePointer?
  private var consumed = false
  private var done: TransferDone?
  // Unsafe ones: each is resumed where it is set to nil, and by nobody else.
  private var headContinuation: UnsafeContinuation<Result<ResponseHead, TransferError>, Never>?
  private var doneContinuation: UnsafeContinuation<TransferDone, Never>?

  func start(
    _ request: TransferRequest, _ client: OpaquePointer,
    _ continuation: UnsafeContinuation<Result<ResponseHead, TransferError>, Never>
  ) {
    guard !Task.isCancelled else {
      return continuation.resume(returning: .failure(TransferError(.cancelled, "cancelled")))
    }
    let callbacks = cr_transfer_callbacks(on_head: transferOnHead, on_done: transferOnDone)
    let user = Unmanaged.passRetained(self)
    let failed = withCRequest(request) {
      cr_transfer_start(client, &$0, callbacks, user.toOpaque(), &raw)
    }
    if failed == 0 {
      headContinuation = continuation
    } else {
      user.release()
      let error = TransferError(.invalid, "the request can't be sent (\(failed))")
      continuation.resume(returning: .failure(error))
    }
  }

  /// Has C consume the body. How the transfer ended, if it has: else `whenDone` will tell.
  func attach(_ consumer: (OpaquePointer) -> Int32) -> TransferDone? {
    if let done { return done }
    guard let raw, !consumed else {
      return TransferDone(
        error: TransferError(.cancelled, "no body to consume"), body: [], relayedBytes: 0)
    }
    consumed = true
    if consumer(raw) != 0 { cr_transfer_cancel(raw) }
    return nil
  }

  /// The end may have come already when the task was moved between executors on its way here.
  func whenDone(_ continuation: UnsafeContinuation<TransferDone, Never>) {
    if let done {
      continuation.resume(returning: done)
    } else {
      doneContinuation = continuation
    }
  }

  func consume(_ consumer: (OpaquePointer) -> Int32) async -> TransferDone {
    if let done = attach(consumer) { return done }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { whenDone($0) }
    } onCancel: {
      Loop.perform { self.cancel() }
    }
  }

  func cancel() {
    if let raw { cr_transfer_cancel(raw) }
  }

  func cancelUnconsumed() {
    if !consumed { cancel() }
  }

  func onHead(_ head: ResponseHead) {
    headContinuation?.resume(returning: .success(head))
    headContinuation = nil
  }

  func onDone(_ done: TransferDone) {
    raw = nil
    self.done = done
    let error = done.error ?? TransferError(.protocolError, "ended without a head")
    headContinuation?.resume(returning: .failure(error))
    headContinuation = nil
    doneContinuation?.resume(returning: done)
    doneContinuation = nil
  }
}

private func transferOnHead(
  _ user: UnsafeMutableRawPointer?, _ head: UnsafePointer<cr_transfer_head>
) {
  let state = Unmanaged<TransferState>.fromOpaque(user!).takeUnretainedValue()
  let raw = head.pointee
  let lines = UnsafeRawBufferPointer(start: raw.headers, count: raw.headers_len)
  let copy = ResponseHead(
    status: Int(raw.status), headers: Headers(lines: lines.bindMemory(to: UInt8.self)),
    contentLength: raw.has_content_length ? raw.content_length : nil,
    address: String(cString: raw.address))
  Loop.assumeIsolated { state.onHead(copy) }
}

private func transferOnDone(
  _ user: UnsafeMutableRawPointer?, _ result: UnsafePointer<cr_transfer_result>
) {
  let state = Unmanaged<TransferState>.fromOpaque(user!).takeRetainedValue()
  let raw = result.pointee
  let error = TransferError.Code(raw.code).map {
    TransferError($0, String(cString: raw.message), address: String(cString: raw.address))
  }
  let done = TransferDone(
    error: error, body: Array(UnsafeBufferPointer(start: raw.body, count: raw.body_len)),
    relayedBytes: raw.relayed_bytes)
  Loop.assumeIsolated { state.onDone(done) }
}

extension TransferError.Code {
  fileprivate init?(_ code: cr_transfer_code) {
    switch code {
    case CR_TRANSFER_OK: return nil
    case CR_TRANSFER_CANCELLED: self = .cancelled
    case CR_TRANSFER_INVALID: self = .invalid
    case CR_TRANSFER_RESOLVE_FAILED: self = .resolveFailed
    case CR_TRANSFER_ADDRESS_REFUSED: self = .addressRefused
    case CR_TRANSFER_CONNECT_FAILED: self = .connectFailed
    case CR_TRANSFER_TLS_FAILED: self = .tlsFailed
    case CR_TRANSFER_TIMEOUT: self = .timeout
    case CR_TRANSFER_STALLED: self = .stalled
    case CR_TRANSFER_BROKEN: self = .broken
    case CR_TRANSFER_TOO_LARGE: self = .tooLarge
    default: self = .protocolError
    }
  }
}

private func withCRequest(
  _ request: TransferRequest, _ body: (inout cr_transfer_request) -> Int32
) -> Int32 {
  let headers = request.headers.nulSeparated
  let avoid: String? =
    if case .fresh(let addresses) = request.connection {
      addresses.joined(separator: ",")
    } else { nil }
  return request.method.withCString { method in
    request.url.withCString { url in
      headers.withUnsafeBytes { headers in
        request.body.withUnsafeBytes { bytes in
          withOptionalCString(avoid) { avoid in
            var raw = cr_transfer_request(
              method: method, url: url,
              headers: headers.assumingMemoryBound(to: CChar.self).baseAddress,
              headers_len: headers.count, body: bytes.baseAddress, body_len: bytes.count,
              connect_timeout_ms: request.connectTimeoutMilliseconds,
              first_byte_timeout_ms: request.firstByteTimeoutMilliseconds,
              stall_timeout_ms: request.stallTimeoutMilliseconds,
              fresh_connection: avoid != nil, avoid: avoid,
              close_on_error: request.closesOnError)
            return body(&raw)
          }
        }
      }
    }
  }
}

private func withOptionalCString<T>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> T) -> T {
  guard let text else { return body(nil) }
  return text.withCString { body($0) }
}
