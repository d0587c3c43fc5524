// Server: a listening socket whose requests are handled by one async function.
//
// The C listener has one reference to the server until its last connection is gone (`onClosed`).

internal import CReactor

/// A call that the C library or the operating system refused; `message` says what and why.
public struct ReactorError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}

/// Certificate chain and private key of a TLS listener. A key of session tickets is used for half a
/// day; clients with older tickets shake hands in full.
@Loop public final class TLSIdentity {
  let raw: OpaquePointer

  /// Both are PEM files, the certificate's with its chain behind it. Throws when they can't be read or
  /// don't belong together.
  public init(certificateFile: String, keyFile: String) throws(ReactorError) {
    var raw: OpaquePointer?
    let ticketKeyMilliseconds: UInt64 = 12 * 3_600 * 1_000
    let (failed, message) = withMessage {
      cr_tls_new(certificateFile, keyFile, ticketKeyMilliseconds, &raw, $0)
    }
    guard failed == 0, let raw else { throw ReactorError(message: message) }
    self.raw = raw
  }

  /// When the certificate ends, Unix seconds.
  public var expiry: Int64 { cr_tls_expiry(raw) }

  isolated deinit { cr_tls_free(raw) }
}

/// An HTTP/1.1 server (1.0 clients included) on one address, plain or with TLS 1.2 and 1.3.
///
/// Each request gets a task of its own that runs the handler on the loop. A connection carries one
/// request at a time; requests that a client sends ahead wait for the answers before theirs. A server
/// lives, whether referenced or not, until `close` and the end of its last connection.
@Loop public final class Server {
  /// Handles one request, malformed ones included (`Exchange.head.malformed`), by answering it. It may
  /// await whatever it likes, but must not block: all requests share its thread. One that returns
  /// without an answer closes the connection.
  public typealias Handler = @Loop @Sendable (Exchange) async -> Void

  /// What one listener bears; `CReactor/limits.h` has the bounds that nobody needs to change. A time
  /// of 0 is for ever.
  public struct Limits: Sendable {
    /// From a head's first byte to its last, and before the first one; then the request is malformed,
    /// with 408.
    public var headTimeoutMilliseconds: UInt32 = 10_000
    /// Between requests; also before the first one, where it is shorter. Then the connection closes.
    public var idleTimeoutMilliseconds: UInt32 = 75_000
    /// Between two reads of a request's body; one that takes longer in all must come with 1 KiB a
    /// second on average. Else `BodyError.timeout`.
    public var bodyTimeoutMilliseconds: UInt32 = 30_000
    /// While the client takes nothing of an answer; then `Sent.Outcome.timeout`.
    public var writeStallMilliseconds: UInt32 = 60_000
    /// Over it the longest idle connection is closed for a new one; is none idle, clients wait.
    public var maxConnections: UInt32 = 10_000
    /// Of one address, of IPv6 of one /64; 0: any number.
    public var maxConnectionsPerAddress: UInt32 = 0
    /// CIDR texts of peers that are many clients: the limit per address does not hold for them.
    public var sharedAddresses: [String] = []

    public init() {}
  }

  public struct Configuration: Sendable {
    /// An IPv4 or IPv6 address, without brackets, or a name of one; "::" is all of both kinds.
    public var host: String
    /// 0: a free one, which `Server.port` tells.
    public var port: UInt16
    /// A TCP socket that listens already, in place of host and port; taken over.
    public var socket: Int32?
    /// Times and numbers of connections.
    public var limits = Limits()
    /// The whole answer, head and body, to clients that are turned away before their request is
    /// read: over `maxConnectionsPerAddress`, or for want of descriptors. None over TLS.
    public var refusal: [UInt8] = []
    /// CIDR texts of peers whose connections must begin with a header of the PROXY protocol, version
    /// 1 or 2, before TLS; it names the client (`Exchange.clientAddress`). From others none is taken.
    public var proxyProtocolPeers: [String] = []

    public init(host: String, port: UInt16) {
      self.host = host
      self.port = port
    }
  }

  /// Called when a connection was reset for what came in place of a PROXY header: the peer's address
  /// and what was wrong, for logs.
  public typealias Refused = @Loop (_ peer: String, _ reason: String) -> Void

  let handler: Handler
  let refused: Refused
  private var listener: OpaquePointer?
  private var isClosing = false

  /// Listens until `close`. The handler is first called in a later turn of the loop. Throws when the
  /// address can't be had.
  public init(
    _ configuration: Configuration, tls: TLSIdentity? = nil,
    refused: @escaping Refused = { _, _ in }, handler: @escaping Handler
  ) throws(ReactorError) {
    self.handler = handler
    self.refused = refused
    var callbacks = cr_server_callbacks(
      context: nil, on_request: exchangeOnRequest, on_body: exchangeOnBody,
      on_room: exchangeOnRoom, on_sent: exchangeOnSent,
      on_refused: serverOnRefused, on_closed: serverOnClosed)
    // C calls on as long as a connection lives, which may be longer than the server is referenced.
    callbacks.context = Unmanaged.passRetained(self).toOpaque()
    var listener: OpaquePointer?
    let (failed, message) = configuration.withConfig(tls) { config in
      withMessage { cr_listener_open(LoopExecutor.shared.loop, config, callbacks, &listener, $0) }
    }
    guard failed == 0 else {
      Unmanaged.passUnretained(self).release()
      throw ReactorError(message: message)
    }
    self.listener = listener
  }

  /// The port listened on.
  public var port: UInt16 { listener.map { cr_listener_port($0) } ?? 0 }

  /// Open connections, those that are ending included.
  public var connections: UInt32 { listener.map { cr_listener_connections($0) } ?? 0 }

  /// Connections accepted since the start, modulo 2^32; 0 once closed.
  public var acceptedConnections: UInt32 { listener.map { cr_listener_accepted($0) } ?? 0 }
  /// Connections that a limit cost, so far.
  public struct LimitCounts: Sendable {
    /// Idle ones that were closed for others.
    public var evicted: UInt64 = 0
    /// Turned away over `maxConnectionsPerAddress`, or for want of descriptors.
    public var refusedByAddress: UInt64 = 0
    public var refusedWithoutDescriptor: UInt64 = 0

    public init() {}
  }

  /// All 0 once closed.
  public var limitCounts: LimitCounts {
    var counts = LimitCounts()
    guard let listener else { return counts }
    let raw = cr_listener_count(listener)
    counts.evicted = raw.evicted
    counts.refusedByAddress = raw.refused_by_address
    counts.refusedWithoutDescriptor = raw.refused_without_descriptor
    return counts
  }

  /// Requests whose handler has not returned.
  public var requestsInFlight: Int { exchanges.count }
  /// Each knows its position here.
  private var exchanges: [Exchange] = []

  func started(_ exchange: Exchange) {
    exchange.position = exchanges.count
    exchanges.append(exchange)
  }

  func ended(_ exchange: Exchange) {
    let last = exchanges.removeLast()
    guard last !== exchange else { return }
    exchanges[exchange.position] = last
    last.position = exchange.position
  }

  /// From now on these hold, but for address and socket: `tls` for new connections. Nothing that
  /// is open is closed.
  public func reconfigure(
    _ configuration: Configuration, tls: TLSIdentity? = nil
  ) throws(ReactorError) {
    guard let listener, !isClosing else { return }
    let (failed, message) = configuration.withConfig(tls) { config in
      withMessage { cr_listener_reconfigure(listener, config, $0) }
    }
    guard failed == 0 else { throw ReactorError(message: message) }
  }

  /// Stops accepting. Requests in flight, and those that come within a moment, are answered, then
  /// their connections close; `connections` is 0 when all have.
  public func close() {
    guard let listener, !isClosing else { return }
    isClosing = true
    cr_listener_close(listener)
  }

  fileprivate func onClosed() { listener = nil }

  /// Gives up on every answer in flight, visibly; their handlers learn of it and return soon.
  public func abort() async {
    for exchange in exchanges { _ = await exchange.abort() }
  }
}

extension Server.Configuration {
  @Loop fileprivate func withConfig<Result>(
    _ tls: TLSIdentity?, _ body: (UnsafePointer<cr_listener_config>) -> Result
  ) -> Result {
    let proxies = proxyProtocolPeers.joined(separator: ",")
    let shared = limits.sharedAddresses.joined(separator: ",")
    return host.withCString { host in
      proxies.withCString { proxies in
        shared.withCString { shared in
          refusal.withUnsafeBytes { refusal in
            var config = cr_listener_config(
              host: host, port: port, use_fd: socket != nil, fd: socket ?? -1, tls: tls?.raw,
              head_timeout_ms: limits.headTimeoutMilliseconds,
              idle_timeout_ms: limits.idleTimeoutMilliseconds,
              body_timeout_ms: limits.bodyTimeoutMilliseconds,
              write_stall_ms: limits.writeStallMilliseconds,
              max_connections: limits.maxConnections,
              max_connections_per_address: limits.maxConnectionsPerAddress,
              shared_networks: shared, refusal: refusal.baseAddress, refusal_len: refusal.count,
              proxy_networks: proxies)
            return body(&config)
          }
        }
      }
    }
  }
}

private func serverOnClosed(_ context: UnsafeMutableRawPointer?) {
  let server = Unmanaged<Server>.fromOpaque(context!).takeRetainedValue()
  Loop.assumeIsolated { server.onClosed() }
}

private func serverOnRefused(
  _ context: UnsafeMutableRawPointer?, _ peer: UnsafePointer<CChar>, _ reason: UnsafePointer<CChar>
) {
  let server = Unmanaged<Server>.fromOpaque(context!).takeUnretainedValue()
  let (peer, reason) = (String(cString: peer), String(cString: reason))
  Loop.assumeIsolated { server.refused(peer, reason) }
}

/// Calls C with room for a message; returns its result and what it wrote there.
func withMessage(_ call: (UnsafeMutablePointer<CChar>) -> Int32) -> (Int32, String) {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CR_MESSAGE_BYTES)) { buffer in
    buffer.initialize(repeating: 0)
    let result = call(buffer.baseAddress!)
    return (result, String(cString: buffer.baseAddress!))
  }
}
