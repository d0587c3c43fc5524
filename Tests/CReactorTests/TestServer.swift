// TestServer: a running server that ends with the test that holds it.
//
// The loop's thread never holds this object, so that it is let go of, and the loop waited for, on the
// test's own thread.

import CReactor

final class TestServer {
  typealias Failure = RunningServer.Failure
  typealias Order = RunningServer.Order
  typealias Settings = RunningServer.Settings

  private let running: RunningServer

  init(
    host: String = "127.0.0.1", port: UInt16 = 0, socket: Int32 = -1, tls: OpaquePointer? = nil,
    head: UInt32 = 20_000, idle: UInt32 = 20_000, body: UInt32 = 20_000, stall: UInt32 = 20_000,
    connections: UInt32 = 1000, perAddress: UInt32 = 0, shared: String = "",
    refusal: String = "", proxies: String = ""
  ) throws {
    running = try RunningServer(
      host: host, port: port, socket: socket,
      Settings(
        tls: tls, head: head, idle: idle, body: body, stall: stall, connections: connections,
        perAddress: perAddress, shared: shared, refusal: refusal, proxies: proxies))
  }

  deinit { running.stop() }

  var port: UInt16 { running.port }
  var events: [String] { running.events }
  func stop() { running.stop() }
  func order(_ order: Order) { running.order(order) }
  func closeListener(after work: () throws -> Void) rethrows {
    try running.closeListener(after: work)
  }
  @discardableResult
  func reconfigure(_ change: (inout Settings) -> Void) -> String { running.reconfigure(change) }
  func listenersClosed() -> Int { running.listenersClosed() }
  func events(until prefix: String, count: Int = 1) -> [String] {
    running.events(until: prefix, count: count)
  }
  func eventually(_ condition: () -> Bool) -> Bool { running.eventually(condition) }
}
