// A loop with a client, and what its transfers' callbacks said, in order. Every callback checks
// that no cr_* call of the harness is under way.

import CReactor
import Glibc
import Testing

final class Exchange {
  let name: String
  fileprivate let run: ClientRun
  fileprivate(set) var pointer: OpaquePointer?
  fileprivate let whenHead: (Exchange) -> Void
  fileprivate let whenDone: (Exchange) -> Void
  fileprivate(set) var status: Int32 = 0
  fileprivate(set) var headers = ""
  fileprivate(set) var length: UInt64?
  fileprivate(set) var headAddress = ""
  fileprivate(set) var code: cr_transfer_code?
  fileprivate(set) var message = ""
  fileprivate(set) var address = ""
  fileprivate(set) var body = ""
  fileprivate(set) var bodyBytes: UInt64 = 0
  fileprivate(set) var relayedBytes: UInt64 = 0

  fileprivate init(
    _ name: String, _ run: ClientRun, _ whenHead: @escaping (Exchange) -> Void,
    _ whenDone: @escaping (Exchange) -> Void
  ) {
    self.name = name
    self.run = run
    self.whenHead = whenHead
    self.whenDone = whenDone
  }

  @discardableResult func collect(_ max: Int = 1 << 20) -> Int32 {
    run.call { cr_transfer_collect(pointer!, max) }
  }
  func cancel() { run.call { cr_transfer_cancel(pointer!) } }
  func relay(to connection: OpaquePointer, skip: UInt64 = 0, take: UInt64 = 0) -> Int32 {
    run.call { cr_respond_relay(connection, pointer!, skip, take) }
  }
}

/// Only `post` may be called by another thread than the one that runs the loop.
final class ClientRun: @unchecked Sendable {
  let loop: OpaquePointer
  private(set) var client: OpaquePointer!
  private(set) var events: [String] = []
  private var exchanges: [Exchange] = []
  private var running = 0
  private var inCall = 0
  /// The loop stops when the last transfer is done.
  var stopsWhenDone = true
  /// What a test does when something else has happened.
  var next: () -> Void = {}

  struct Settings {
    var certificates: String?
    var allowAny = true
    var allowed: String?
    var plain = true
    var proxied = false
    var active: UInt32 = 8
    var unanswered: UInt32 = 0
    var agent: String?
  }

  init(_ settings: Settings = Settings()) {
    var callbacks = cr_loop_callbacks()
    callbacks.on_item = { _, item in
      Unmanaged<Item>.fromOpaque(item).takeRetainedValue().run()
    }
    var loop: OpaquePointer?
    precondition(cr_loop_new(callbacks, &loop) == 0)
    self.loop = loop!
    let (result, message) = open(settings)
    precondition(result == 0, message)
  }

  /// Opens the client that later transfers use.
  func open(_ settings: Settings) -> (Int32, String) {
    var config = cr_client_config()
    config.allow_plain_http = settings.plain
    config.allow_any_address = settings.allowAny
    config.use_environment_proxy = settings.proxied
    config.max_active = settings.active
    config.max_unanswered = settings.unanswered
    let texts = [settings.certificates, settings.allowed, settings.agent].map {
      $0.map { strdup($0)! }
    }
    defer { for text in texts { free(text) } }
    config.ca_file = UnsafePointer(texts[0])
    config.allowed_networks = UnsafePointer(texts[1])
    config.user_agent = UnsafePointer(texts[2])
    var opened: OpaquePointer?
    var message = [CChar](repeating: 0, count: 256)
    let result = cr_client_new(loop, &config, &opened, &message)
    if result == 0 { client = opened }
    return (result, message.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
  }

  fileprivate func call<T>(_ body: () -> T) -> T {
    inCall += 1
    defer { inCall -= 1 }
    return body()
  }

  func note(_ event: String) {
    if inCall > 0 { Issue.record("\(event) from inside a call") }
    events.append(event)
  }

  func closeClient() { call { cr_client_close(client) } }

  struct Request {
    var method = "GET"
    var headers: [String] = []
    var body: String?
    var connectTimeout: UInt32 = 5000
    var firstByteTimeout: UInt32 = 0
    var stallTimeout: UInt32 = 0
    var fresh = false
    var avoid: String?
    var closeOnError = false
  }

  /// `whenHead` collects unless told otherwise.
  @discardableResult func start(
    _ name: String, _ url: String, _ request: Request = Request(),
    whenHead: @escaping (Exchange) -> Void = { $0.collect() },
    whenDone: @escaping (Exchange) -> Void = { _ in }
  ) -> Exchange {
    let exchange = Exchange(name, self, whenHead, whenDone)
    let result = start(exchange, url, request)
    if result != 0 {
      Issue.record("cr_transfer_start: \(result)")
      return exchange
    }
    exchanges.append(exchange)
    running += 1
    return exchange
  }

  /// What cr_transfer_start says to a request that it should not take.
  func refusal(_ url: String, _ request: Request = Request()) -> Int32 {
    start(Exchange("refused", self, { _ in }, { _ in }), url, request)
  }

  private func start(_ exchange: Exchange, _ url: String, _ request: Request) -> Int32 {
    let headers = request.headers.flatMap { Array($0.utf8CString) }
    let body = Array((request.body ?? "").utf8)
    let user = Unmanaged.passUnretained(exchange).toOpaque()
    let avoid = request.avoid.map { strdup($0)! }
    defer { free(avoid) }
    let callbacks = cr_transfer_callbacks(
      on_head: { user, head in exchangeOf(user).take(head.pointee) },
      on_done: { user, result in exchangeOf(user).take(result.pointee) })
    return request.method.withCString { method in
      url.withCString { url in
        headers.withUnsafeBufferPointer { headers in
          body.withUnsafeBufferPointer { body in
            var raw = cr_transfer_request(
              method: method, url: url, headers: headers.baseAddress, headers_len: headers.count,
              body: UnsafeRawPointer(body.baseAddress), body_len: body.count,
              connect_timeout_ms: request.connectTimeout,
              first_byte_timeout_ms: request.firstByteTimeout,
              stall_timeout_ms: request.stallTimeout, fresh_connection: request.fresh,
              avoid: UnsafePointer(avoid), close_on_error: request.closeOnError)
            return call { cr_transfer_start(client, &raw, callbacks, user, &exchange.pointer) }
          }
        }
      }
    }
  }

  fileprivate func finished() {
    running -= 1
    if running == 0 && stopsWhenDone { cr_loop_stop(loop) }
  }

  /// Runs `body` on the loop, soon. From any thread.
  func post(_ body: @escaping () -> Void) {
    let item = Unmanaged.passRetained(Item(body)).toOpaque()
    precondition(cr_loop_post(loop, item) == 0)
  }

  func after(_ delay: UInt64, _ body: @escaping () -> Void) {
    var timer: OpaquePointer?
    let item = Unmanaged.passRetained(Item(body)).toOpaque()
    let result = cr_timer_start(
      loop, delay,
      { context, fired in
        let item = Unmanaged<Item>.fromOpaque(context!).takeRetainedValue()
        if fired { item.run() }
      }, item, &timer)
    precondition(result == 0)
  }

  /// Returns when the loop has ended; it is ended by force when it takes too long.
  func run() {
    var overdue = false
    after(20_000) { [self] in
      overdue = true
      cr_loop_stop(loop)
    }
    cr_loop_run(loop)
    if overdue { Issue.record("the loop did not end by itself: \(events)") }
    for exchange in exchanges where exchange.code == nil {
      Issue.record("no on_done for \(exchange.name)")
    }
  }
}

private final class Item {
  let run: () -> Void
  init(_ run: @escaping () -> Void) { self.run = run }
}

private func exchangeOf(_ user: UnsafeMutableRawPointer?) -> Exchange {
  Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
}

extension Exchange {
  fileprivate func take(_ head: cr_transfer_head) {
    status = head.status
    length = head.has_content_length ? head.content_length : nil
    headers = text(head.headers, head.headers_len)
    headAddress = String(cString: head.address)
    run.note("\(name) head \(status)")
    whenHead(self)
  }

  fileprivate func take(_ result: cr_transfer_result) {
    if code != nil { Issue.record("second on_done for \(name)") }
    code = result.code
    message = String(cString: result.message)
    address = String(cString: result.address)
    body = text(result.body, result.body_len)
    bodyBytes = result.body_bytes
    relayedBytes = result.relayed_bytes
    run.note("\(name) done \(result.code.name)")
    whenDone(self)
    run.finished()
  }
}

private func text<T>(_ bytes: UnsafePointer<T>?, _ count: Int) -> String {
  String(
    decoding: UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count), as: UTF8.self)
}

extension cr_transfer_code {
  fileprivate var name: String {
    switch self {
    case CR_TRANSFER_OK: "ok"
    case CR_TRANSFER_CANCELLED: "cancelled"
    case CR_TRANSFER_INVALID: "invalid"
    case CR_TRANSFER_RESOLVE_FAILED: "resolve failed"
    case CR_TRANSFER_ADDRESS_REFUSED: "address refused"
    case CR_TRANSFER_CONNECT_FAILED: "connect failed"
    case CR_TRANSFER_TLS_FAILED: "tls failed"
    case CR_TRANSFER_TIMEOUT: "timeout"
    case CR_TRANSFER_STALLED: "stalled"
    case CR_TRANSFER_BROKEN: "broken"
    case CR_TRANSFER_PROTOCOL: "protocol"
    case CR_TRANSFER_TOO_LARGE: "too large"
    default: "code \(rawValue)"
    }
  }
}
