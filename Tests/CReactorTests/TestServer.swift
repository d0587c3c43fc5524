// A server on the C interface alone, on its own thread, whose answer depends on the target. Every
// callback is recorded, in order, as one line.

import CReactor
import Glibc
import Synchronization

/// What one request's callbacks share.
private final class ServedRequest {
  let server: RunningServer
  let conn: OpaquePointer
  let target: String
  var left = 0

  init(_ server: RunningServer, _ conn: OpaquePointer, _ target: String) {
    self.server = server
    self.conn = conn
    self.target = target
  }

  @discardableResult
  func respond(
    _ status: Int32 = 200, _ body: [UInt8] = Array("hello".utf8), headers: String = "",
    length: Int = 0, close: Bool = false, begin: Bool = false
  ) -> Int32 {
    var headers = headers
    return headers.withUTF8 { text in
      body.withUnsafeBytes { bytes in
        var response = cr_response()
        response.status = status
        text.withMemoryRebound(to: CChar.self) { response.headers = $0.baseAddress }
        response.headers_len = text.count
        response.body = bytes.baseAddress
        response.body_len = bytes.count
        response.content_length = UInt64(length)
        response.close = close
        return begin ? cr_respond_begin(conn, &response) : cr_respond(conn, &response)
      }
    }
  }

  /// Writes what is left of a long answer while the connection has room.
  func pump() {
    let piece = [UInt8](repeating: 0x61, count: 50_000)
    while left > 0 {
      let n = min(left, piece.count)
      let result = cr_respond_write(conn, piece, n)
      if result < 0 { return server.record("write \(result)") }
      left -= n
      if result == 1 { return server.record("wait") }
    }
  }

  func act() {
    let number = Int(target.split(separator: "?").last ?? "") ?? 0
    switch target.split(separator: "?").first {
    case "/big":
      left = number
      respond(length: number, begin: true)
      pump()
    case "/echo": server.record("ask \(cr_request_read_body(conn, 200_000))")
    case "/max": server.record("ask \(cr_request_read_body(conn, number))")
    case "/twice":
      server.record("ask \(cr_request_read_body(conn, 10))")
      server.record("ask \(cr_request_read_body(conn, 10))")
    case "/hold": server.held.append(self)
    case "/half":
      respond(length: 10, begin: true)
      _ = cr_respond_write(conn, "hello", 5)
      cr_respond_abort(conn)
    case "/abort": cr_respond_abort(conn)
    case "/over":
      respond(length: 3, begin: true)
      server.record("write \(cr_respond_write(conn, "hello", 5))")
      server.record("write \(cr_respond_write(conn, "abc", 3))")
      server.record("write \(cr_respond_write(conn, "d", 1))")
      server.record("respond \(respond())")
    case "/status": respond(Int32(number), headers: "X-First: 1\r\nX-Second: 2\r\n", length: 7)
    case "/invalid":
      server.record("respond \(respond(99))")
      server.record("respond \(respond(headers: "X: y"))")
      respond()
    case "/close": respond(close: true)
    case "/peer":
      respond(200, Array("\(String(cString: cr_conn_peer(conn))) \(cr_conn_is_tls(conn))".utf8))
    case "/block":
      usleep(UInt32(number) * 1000)
      respond()
    case "/end":
      server.closeListener()
      respond()
    case "/waited":
      let waited = cr_clock_us() - cr_conn_received_us(conn)
      respond(200, Array("\(waited / 1000)".utf8))
    case "/client": respond(200, Array(String(cString: cr_conn_client(conn)).utf8))
    default: respond()
    }
  }
}

/// State is the loop thread's, but for `log` and what `init` sets before the thread starts.
final class RunningServer: @unchecked Sendable {
  struct Failure: Error { let message: String }
  enum Order: Int {
    case answerHeld = 1
    case closeListener, closeListenerThenAnswer
    /// The loop stands still until it is let go, then the listener is closed, or not.
    case waitThenCloseListener, wait
    /// `next` holds from now on.
    case reconfigure
  }

  /// What a listener can be told anew.
  struct Settings: @unchecked Sendable {
    var tls: OpaquePointer?
    var head: UInt32 = 20_000
    var idle: UInt32 = 20_000
    var body: UInt32 = 20_000
    var stall: UInt32 = 20_000
    var connections: UInt32 = 1000
    var perAddress: UInt32 = 0
    var shared = ""
    var refusal = ""
    var proxies = ""
  }

  private let log = Mutex<[String]>([])
  private let stands = Atomic(false)
  private let closings = Atomic(0)
  private let next: Mutex<Settings>
  private var loop: OpaquePointer?
  private var listener: OpaquePointer?
  private var thread = pthread_t()
  private var running = false
  fileprivate var held: [ServedRequest] = []
  private var turn = 0
  private let begun = Mutex<[Int: Int]>([:])
  private(set) var port: UInt16 = 0

  init(_ settings: Settings, host: String, port: UInt16, socket: Int32) throws {
    next = Mutex(settings)
    let context = Unmanaged.passUnretained(self).toOpaque()
    let loopCallbacks = cr_loop_callbacks(
      context: context, on_item: { server($0!).obey(Int(bitPattern: $1)) },
      on_turn: { context in
        server(context!).turn += 1
        return false
      })
    _ = cr_loop_new(loopCallbacks, &loop)
    var message = [CChar](repeating: 0, count: Int(CR_MESSAGE_BYTES))
    let result = Self.withConfig(settings, host, port, socket) {
      cr_listener_open(loop!, $0, Self.callbacks(context), &listener, &message)
    }
    self.port = listener.map { cr_listener_port($0) } ?? 0
    running = true
    pthread_create(
      &thread, nil,
      { context in
        cr_loop_run(server(context!).loop!)
        return nil
      }, context)
    guard result == 0 else {
      stop()
      let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw Failure(message: String(decoding: text, as: UTF8.self))
    }
  }

  private static func withConfig<Result>(
    _ settings: Settings, _ host: String = "", _ port: UInt16 = 0, _ socket: Int32 = -1,
    _ body: (UnsafePointer<cr_listener_config>) -> Result
  ) -> Result {
    let given: [String] = [host, settings.shared, settings.refusal, settings.proxies]
    let texts = given.map { (text: String) -> UnsafePointer<CChar> in UnsafePointer(strdup(text)) }
    defer { for text in texts { free(UnsafeMutablePointer(mutating: text)) } }
    var config = cr_listener_config(
      host: texts[0], port: port, use_fd: socket >= 0, fd: socket, tls: settings.tls,
      head_timeout_ms: settings.head, idle_timeout_ms: settings.idle,
      body_timeout_ms: settings.body,
      write_stall_ms: settings.stall, max_connections: settings.connections,
      max_connections_per_address: settings.perAddress, shared_networks: texts[1],
      refusal: texts[2], refusal_len: strlen(texts[2]), proxy_networks: texts[3])
    return body(&config)
  }

  /// Ends the loop and waits for it. The object may be read afterwards.
  func stop() {
    guard running else { return }
    running = false
    cr_loop_stop(loop!)
    pthread_join(thread, nil)
  }

  func order(_ order: Order) {
    _ = cr_loop_post(loop!, UnsafeMutableRawPointer(bitPattern: order.rawValue)!)
  }

  /// Holds the loop while `work` is done, then closes the listener.
  func closeListener(after work: () throws -> Void) rethrows {
    try hold(.waitThenCloseListener, while: work)
  }

  /// Holds the loop while `work` is done, and until what it sent is delivered.
  func hold(_ order: Order = .wait, while work: () throws -> Void) rethrows {
    let before = events.count { $0 == "stands still" }
    stands.store(true, ordering: .releasing)
    self.order(order)
    _ = events(until: "stands still", count: before + 1)
    defer { stands.store(false, ordering: .releasing) }
    try work()
    usleep(20_000)
  }

  /// Lets other settings hold, and waits until they do; the C call's result.
  @discardableResult
  func reconfigure(_ change: (inout Settings) -> Void) -> String {
    let before = events.count { $0.hasPrefix("reconfigured") }
    next.withLock { change(&$0) }
    order(.reconfigure)
    let events = events(until: "reconfigured", count: before + 1)
    return events.last { $0.hasPrefix("reconfigured") } ?? ""
  }

  /// Waits until the listener has made its last callback; how many it has made.
  func listenersClosed() -> Int {
    for _ in 0..<2000 where closings.load(ordering: .acquiring) == 0 { usleep(5000) }
    return closings.load(ordering: .acquiring)
  }

  private func obey(_ number: Int) {
    let order = Order(rawValue: number)!
    if order == .reconfigure {
      var message = [CChar](repeating: 0, count: Int(CR_MESSAGE_BYTES))
      let result = Self.withConfig(next.withLock { $0 }) {
        cr_listener_reconfigure(listener!, $0, &message)
      }
      return record("reconfigured \(result)")
    }
    if order == .waitThenCloseListener || order == .wait {
      record("stands still")
      while stands.load(ordering: .acquiring) { usleep(1000) }
    }
    if order == .closeListener || order == .closeListenerThenAnswer
      || order == .waitThenCloseListener
    {
      closeListener()
    }
    guard order == .answerHeld || order == .closeListenerThenAnswer else { return }
    for exchange in held { record("respond \(exchange.respond())") }
    held = []
  }

  fileprivate func closeListener() {
    cr_listener_close(listener!)
    record("listener closed")
  }

  // MARK: the record

  /// How many requests were begun in one turn of the loop, at most.
  var mostBegunInATurn: Int { begun.withLock { $0.values.max() ?? 0 } }

  func record(_ event: String) { log.withLock { $0.append(event) } }
  var events: [String] { log.withLock { $0 } }

  /// The record once `count` lines of it begin with `prefix`, or what it is after some seconds.
  func events(until prefix: String, count: Int = 1) -> [String] {
    for _ in 0..<2000 {
      let events = self.events
      if events.count(where: { $0.hasPrefix(prefix) }) >= count { return events }
      usleep(5000)
    }
    return events
  }

  /// Whether the condition came to hold within some seconds.
  func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<2000 {
      if condition() { return true }
      usleep(5000)
    }
    return false
  }

  // MARK: callbacks

  private static func callbacks(_ context: UnsafeMutableRawPointer) -> cr_server_callbacks {
    cr_server_callbacks(
      context: context,
      on_request: { context, conn, head in server(context!).onRequest(conn, head.pointee) },
      on_body: { user, status, bytes, count in
        let me = exchange(user!)
        let body = Array(UnsafeBufferPointer(start: bytes, count: count))
        me.server.record("body \(status) \(count)")
        me.respond(status == 0 ? 200 : 400, body)
      },
      on_room: { user in
        exchange(user!).server.record("room")
        exchange(user!).pump()
      },
      on_sent: { user, sent in
        let me = Unmanaged<ServedRequest>.fromOpaque(user!).takeRetainedValue()
        me.server.held.removeAll { $0 === me }
        let sent = sent.pointee
        let outcomes = ["ok", "gone", "timeout", "aborted"]
        me.server.record(
          "sent \(outcomes[Int(sent.outcome.rawValue)]) \(sent.status) \(sent.body_bytes)"
            + (sent.bytes_in > 0 ? " in \(sent.bytes_in)" : ""))
        if (sent.status == 0) != (sent.first_byte_us == 0) || sent.first_byte_us > sent.last_byte_us
        {
          me.server.record("times do not fit")
        }
      },
      on_refused: { context, peer, reason in
        server(context!).record("refused \(String(cString: peer)): \(String(cString: reason))")
      },
      on_closed: { context in server(context!).closings.add(1, ordering: .releasing) })
  }

  private func onRequest(_ conn: OpaquePointer, _ head: cr_head) -> UnsafeMutableRawPointer? {
    func text(_ slice: cr_slice) -> String {
      let bytes = UnsafeRawBufferPointer(start: head.base + Int(slice.at), count: Int(slice.len))
      return String(decoding: bytes, as: UTF8.self)
    }
    let target = text(head.target)
    record("request \(text(head.method)) \(target.prefix(40))")
    begun.withLock { $0[turn, default: 0] += 1 }
    let me = ServedRequest(self, conn, target)
    if head.malformed_status != 0 {
      record("malformed \(head.malformed_status)")
      me.respond(head.malformed_status, Array(String(cString: head.malformed_reason!).utf8))
    } else if target == "/headers" {
      let lines = (0..<Int(head.header_count)).map {
        "\(text(head.headers[$0].name))=\(text(head.headers[$0].value))|"
      }
      me.respond(200, Array(lines.joined().utf8))
    } else {
      me.act()
    }
    return Unmanaged.passRetained(me).toOpaque()
  }
}

private func server(_ context: UnsafeMutableRawPointer) -> RunningServer {
  Unmanaged<RunningServer>.fromOpaque(context).takeUnretainedValue()
}

private func exchange(_ user: UnsafeMutableRawPointer) -> ServedRequest {
  Unmanaged<ServedRequest>.fromOpaque(user).takeUnretainedValue()
}

/// A server that ends when the test lets go of it. What the callbacks hold on to is the running
/// server, so the last to let go, who waits for the loop's end, is never the loop's own thread.
final class TestServer: Sendable {
  typealias Failure = RunningServer.Failure
  private let running: RunningServer

  init(
    host: String = "127.0.0.1", port: UInt16 = 0, socket: Int32 = -1, tls: OpaquePointer? = nil,
    head: UInt32 = 20_000, idle: UInt32 = 20_000, body: UInt32 = 20_000, stall: UInt32 = 20_000,
    connections: UInt32 = 1000, perAddress: UInt32 = 0, shared: String = "",
    refusal: String = "", proxies: String = ""
  ) throws {
    let settings = RunningServer.Settings(
      tls: tls, head: head, idle: idle, body: body, stall: stall, connections: connections,
      perAddress: perAddress, shared: shared, refusal: refusal, proxies: proxies)
    running = try RunningServer(settings, host: host, port: port, socket: socket)
  }

  deinit { running.stop() }

  var port: UInt16 { running.port }
  var events: [String] { running.events }
  func stop() { running.stop() }
  func order(_ order: RunningServer.Order) { running.order(order) }
  func listenersClosed() -> Int { running.listenersClosed() }
  func eventually(_ condition: () -> Bool) -> Bool { running.eventually(condition) }
  func events(until prefix: String, count: Int = 1) -> [String] {
    running.events(until: prefix, count: count)
  }
  func closeListener(after work: () throws -> Void) rethrows {
    try running.closeListener(after: work)
  }
  func hold(while work: () throws -> Void) rethrows { try running.hold(while: work) }
  var mostBegunInATurn: Int { running.mostBegunInATurn }
  @discardableResult
  func reconfigure(_ change: (inout RunningServer.Settings) -> Void) -> String {
    running.reconfigure(change)
  }
}
