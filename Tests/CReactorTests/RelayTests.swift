// Transfers relayed into answers, end to end over real sockets: an upstream that may lie, the
// library between, a downstream client that reads what arrives until the connection ends.

import CReactor
import Glibc
import Synchronization
import Testing

@Suite(.serialized) struct RelayTests {
  private static func chunked(_ chunks: [String], end: Bool = true) -> String {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      + chunks.map { String($0.utf8.count, radix: 16) + "\r\n\($0)\r\n" }.joined()
      + (end ? "0\r\n\r\n" : "")
  }

  /// One request: an answer of `length` bytes fed by transfers of `answers` in turn, each from its
  /// own upstream; an answer that is not complete after the last one is aborted.
  private func relay(
    _ answers: [String], length: Int, skips: [UInt64] = []
  ) -> (ClientRun, [Exchange], Downstream, cr_sent?) {
    let run = ClientRun()
    run.stopsWhenDone = false
    let upstreams = answers.map { answer in
      Upstream { peer in
        _ = peer.readHead()
        peer.send(answer)
      }
    }
    var exchanges: [Exchange] = []
    func feed(_ connection: OpaquePointer, _ n: Int) {
      let exchange = run.start("\(n)", upstreams[n].url()) { exchange in
        #expect(exchange.relay(to: connection, skip: n < skips.count ? skips[n] : 0) == 0)
      } whenDone: { _ in
        let relayed = exchanges.reduce(0) { $0 + $1.relayedBytes }
        if n + 1 < answers.count {
          feed(connection, n + 1)
        } else if relayed < length {
          cr_respond_abort(connection)
        }
      }
      exchanges.append(exchange)
    }
    let front = RelayFront(run) { connection in
      #expect(RelayFront.begin(connection, length: length) == 0)
      feed(connection, 0)
    }
    let downstream = Downstream(port: front.port) { run.post { cr_loop_stop(run.loop) } }
    run.run()
    return (run, exchanges, downstream, front.sent.first)
  }

  @Test(arguments: [1, 2, 100, 16 * 1024, 1_000_000])
  func aBodyArrivesWholeAndUnchanged(length: Int) {
    let body = String((0..<length).map { Character(UnicodeScalar(UInt8(97 + $0 % 23))) })
    for answer in [
      "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n" + body, Self.chunked([body]),
    ] {
      let (run, exchanges, downstream, sent) = relay([answer], length: length)
      #expect(run.events == ["request", "0 head 200", "0 done ok", "sent 0"])
      #expect(downstream.body == body)
      #expect(exchanges[0].relayedBytes == UInt64(length))
      #expect(exchanges[0].bodyBytes == UInt64(length))
      #expect(sent?.body_bytes == UInt64(length))
    }
  }

  @Test func aBrokenTransferIsResumedByTheNextOne() {
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
    let rest = "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\n56789"
    let (run, exchanges, downstream, _) = relay([broken, rest], length: 10)
    #expect(
      run.events == [
        "request", "0 head 200", "0 done broken", "1 head 206", "1 done ok", "sent 0",
      ])
    #expect(exchanges.map(\.relayedBytes) == [5, 5])
    #expect(downstream.body == "0123456789")

    let (_, again, skipped, _) = relay([broken, whole], length: 10, skips: [0, 5])
    #expect(again.map(\.relayedBytes) == [5, 5])
    #expect(again[1].bodyBytes == 10)
    #expect(skipped.body == "0123456789")
  }

  @Test func aTransferThatIsShortButWellLeavesTheAnswerOpen() {
    let (_, exchanges, downstream, _) = relay(
      [Self.chunked(["0123"]), Self.chunked(["45", "6789"])], length: 10)
    #expect(exchanges.map(\.code) == [CR_TRANSFER_OK, CR_TRANSFER_OK])
    #expect(exchanges.map(\.relayedBytes) == [4, 6])
    #expect(downstream.body == "0123456789")
  }

  @Test func theLastByteIsHeldBackUntilTheTransferEndedWell() {
    let (run, exchanges, downstream, sent) = relay(
      [Self.chunked(["0123456789"], end: false)], length: 10)
    #expect(run.events.contains("0 done broken"))
    #expect(exchanges[0].bodyBytes == 10)
    #expect(exchanges[0].relayedBytes == 9)
    #expect(downstream.body.utf8.count < 10)
    #expect(sent?.outcome == CR_SENT_ABORTED)
  }

  @Test func aHeldByteIsFetchedAgainByTheNextTransfer() {
    let (_, exchanges, downstream, sent) = relay(
      [Self.chunked(["0123456789"], end: false), Self.chunked(["9"])], length: 10)
    #expect(exchanges.map(\.relayedBytes) == [9, 1])
    #expect(downstream.body == "0123456789")
    #expect(sent?.outcome == CR_SENT_OK)
  }

  @Test(arguments: [["0123456789A"], ["0123456789", "A"], ["012345678", "9A"]])
  func moreThanWasDeclaredIsNeverTakenForTheWhole(chunks: [String]) {
    let (_, exchanges, downstream, sent) = relay([Self.chunked(chunks)], length: 10)
    #expect(exchanges[0].code == CR_TRANSFER_TOO_LARGE)
    #expect(exchanges[0].relayedBytes < 10)
    #expect("012345678".hasPrefix(downstream.body))
    #expect(sent?.outcome == CR_SENT_ABORTED)
  }

  @Test func skippingPastTheEndRelaysNothing() {
    let (_, exchanges, _, _) = relay([Self.chunked(["01234"])], length: 10, skips: [7])
    #expect(exchanges[0].code == CR_TRANSFER_OK)
    #expect(exchanges[0].relayedBytes == 0)
    #expect(exchanges[0].bodyBytes == 5)
  }

  @Test func aSlowClientHoldsTheUpstreamBack() {
    let total = 96 << 20
    let pushed = Mutex(0)
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
      let piece = [UInt8](repeating: 120, count: 1 << 20)
      for _ in 0..<(total >> 20) {
        guard peer.send(piece) else { return }
        pushed.withLock { $0 += piece.count }
      }
    }
    let run = ClientRun()
    run.stopsWhenDone = false
    var exchange: Exchange?
    let front = RelayFront(run) { connection in
      #expect(RelayFront.begin(connection, length: total) == 0)
      exchange = run.start("one", upstream.url(), ClientRun.Request(stallTimeout: 300)) {
        #expect($0.relay(to: connection) == 0)
      }
    }
    let early = Mutex(0)
    run.after(900) { early.withLock { $0 = pushed.withLock { $0 } } }
    let downstream = Downstream(port: front.port, delay: 1_000_000) {
      run.post { cr_loop_stop(run.loop) }
    }
    run.run()
    // The kernel's buffers, at most some 20 MiB of them, were all that could fill.
    #expect(early.withLock { $0 } < total / 2)
    #expect(run.events == ["request", "one head 200", "one done ok", "sent 0"])
    #expect(exchange?.relayedBytes == UInt64(total))
    #expect(downstream.body.utf8.count == total)
  }

  @Test func aClientThatVanishesCancelsTheTransfer() {
    let run = ClientRun()
    run.stopsWhenDone = false
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(1 << 40)\r\n\r\n")
      while peer.send([UInt8](repeating: 120, count: 1 << 16)) {}
      run.post { cr_loop_stop(run.loop) }
    }
    var exchange: Exchange?
    let front = RelayFront(run) { connection in
      #expect(RelayFront.begin(connection, length: 1 << 40) == 0)
      exchange = run.start("one", upstream.url()) { #expect($0.relay(to: connection) == 0) }
    }
    _ = Downstream(port: front.port, limit: 1 << 20) {}
    run.run()
    #expect(run.events.prefix(2) == ["request", "one head 200"])
    #expect(run.events.dropFirst(2).sorted() == ["one done cancelled", "sent 1"])
    let sent = front.sent.first?.body_bytes ?? 0
    #expect(sent > 0 && exchange!.relayedBytes >= sent)
  }

  @Test(arguments: ["abort", "cancel", "stop"])
  func endingARelayFromOutsideEndsBothSides(how: String) {
    let run = ClientRun()
    run.stopsWhenDone = false
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
      peer.waitForClose()
    }
    var exchange: Exchange!
    var held: OpaquePointer!
    let front = RelayFront(run) { connection in
      held = connection
      #expect(RelayFront.begin(connection, length: 100) == 0)
      exchange = run.start("one", upstream.url()) { exchange in
        #expect(exchange.relay(to: connection) == 0)
        run.after(100) {
          switch how {
          case "abort": cr_respond_abort(connection)
          case "cancel": exchange.cancel()
          default: cr_loop_stop(run.loop)
          }
        }
      } whenDone: { _ in
        if how == "cancel" {
          #expect(cr_respond_write(held, "x", 1) == 0)
          cr_respond_abort(held)
        }
      }
    }
    _ = Downstream(port: front.port) {
      if how != "stop" { run.post { cr_loop_stop(run.loop) } }
    }
    run.run()
    #expect(exchange.code == CR_TRANSFER_CANCELLED)
    #expect(exchange.relayedBytes == 5)
    #expect(front.sent.map(\.outcome) == [CR_SENT_ABORTED])
    #expect(run.events.filter { $0.hasPrefix("one done") }.count == 1)
  }

  @Test func relaysThatAreNotPossibleAreRefusedAndHarmNothing() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    let run = ClientRun()
    run.stopsWhenDone = false
    let state = CR_ESTATE.rawValue
    let front = RelayFront(run) { connection in
      run.start("one", upstream.url()) { one in
        #expect(one.relay(to: connection) == state)  // no answer begun
        #expect(RelayFront.begin(connection, length: 5) == 0)
        run.start("two", upstream.url()) { two in
          #expect(two.collect() == 0)
          #expect(two.relay(to: connection) == state)  // consumed already
          #expect(one.relay(to: connection) == 0)
          #expect(one.relay(to: connection) == state)  // fed already
        }
      }
    }
    let downstream = Downstream(port: front.port) { run.post { cr_loop_stop(run.loop) } }
    run.run()
    #expect(downstream.body == "hello")
    #expect(run.events.filter { $0.hasSuffix("done ok") }.count == 2)
  }
}
