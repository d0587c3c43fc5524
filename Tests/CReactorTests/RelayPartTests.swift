// Relays of a part: what the answer takes of a body that goes on.

import CReactor
import Glibc
import Synchronization
import Testing

@Suite(.serialized) struct RelayPartTests {
  /// An answer of `length` bytes, of which `parts` of one body each are relayed in turn.
  private func relay(
    _ upstream: Upstream, length: Int, _ parts: [(skip: UInt64, take: UInt64)]
  ) -> (run: ClientRun, exchanges: [Exchange], body: String, sent: cr_sent?) {
    let run = ClientRun()
    run.stopsWhenDone = false
    var exchanges: [Exchange] = []
    func feed(_ connection: OpaquePointer, _ n: Int) {
      let exchange = run.start("\(n)", upstream.url()) { exchange in
        #expect(exchange.relay(to: connection, skip: parts[n].skip, take: parts[n].take) == 0)
      } whenDone: { _ in
        let relayed = exchanges.reduce(0) { $0 + $1.relayedBytes }
        if n + 1 < parts.count {
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
    return (run, exchanges, downstream.body, front.sent.first)
  }

  private static func whole(_ body: String) -> Upstream {
    Upstream { peer in
      while peer.readHead() != nil {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
    }
  }

  @Test(
    arguments: [
      (0, 1, "0"), (0, 5, "01234"), (3, 4, "3456"), (8, 1, "8"), (9, 1, "9"), (0, 10, "0123456789"),
    ] as [(UInt64, UInt64, String)])
  func theAnswerEndsWhereThePartDoes(skip: UInt64, take: UInt64, expected: String) {
    let (run, exchanges, body, sent) = relay(
      Self.whole("0123456789"), length: Int(take), [(skip, take)])
    #expect(run.events == ["request", "0 head 200", "0 done ok", "sent 0"])
    #expect(body == expected)
    #expect(exchanges[0].relayedBytes == take && exchanges[0].message == "")
    #expect(sent?.outcome == CR_SENT_OK)
  }

  @Test func partsOfLongBodiesNeverReadToTheEnd() {
    let pushed = Mutex(0)
    let total = 256 << 20
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
      let piece = (0..<(1 << 16)).map { UInt8(97 + $0 % 23) }
      while peer.send(piece),
        pushed.withLock({
          $0 += piece.count
          return $0 < total
        })
      {}
    }
    let skip: UInt64 = 5_000_001
    let take: UInt64 = 3_000_000
    let (_, exchanges, body, _) = relay(upstream, length: Int(take), [(skip, take)])
    let expected = (skip..<(skip + take)).map { UInt8(97 + ($0 % 65_536) % 23) }
    #expect(exchanges[0].code == CR_TRANSFER_OK)
    #expect(Array(body.utf8) == expected)
    #expect(pushed.withLock { $0 } < total)
  }

  @Test func aPartThatIsNotTheWholeAnswerLeavesItOpen() {
    let (run, exchanges, body, _) = relay(
      Self.whole("0123456789"), length: 6, [(2, 3), (5, 3)])
    #expect(
      run.events == ["request", "0 head 200", "0 done ok", "1 head 200", "1 done ok", "sent 0"])
    #expect(exchanges.map(\.relayedBytes) == [3, 3])
    #expect(body == "234567")
  }

  @Test(arguments: [(10, 1), (16 * 1024, 1), (16 * 1024 + 1, 2)])
  func theConnectionIsUsedAgainOnlyWhenTheWholeBodyHadCome(length: Int, connections: Int) {
    let upstream = Self.whole(String(repeating: "x", count: length))
    let (_, _, body, _) = relay(upstream, length: 4, [(0, 2), (0, 2)])
    #expect(body == "xxxx")
    #expect(upstream.connections == connections)
  }

  @Test func aBodyThatEndsBeforeThePartIsNoWhole() {
    let (run, exchanges, body, sent) = relay(Self.whole("01234"), length: 4, [(3, 4)])
    #expect(run.events.contains("0 done ok"))
    #expect(exchanges[0].relayedBytes == 2)
    #expect(body.utf8.count < 4 && sent?.outcome == CR_SENT_ABORTED)
  }

  @Test func aBodyThatBreaksBeforeThePartEndsIsBroken() {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123")
    }
    let (_, exchanges, body, sent) = relay(upstream, length: 4, [(2, 4)])
    #expect(exchanges[0].code == CR_TRANSFER_BROKEN && exchanges[0].relayedBytes == 2)
    #expect("23".hasPrefix(body) && sent?.outcome == CR_SENT_ABORTED)
  }

  @Test func aPartLargerThanTheAnswerIsRefused() {
    let (_, exchanges, body, sent) = relay(Self.whole("0123456789"), length: 4, [(2, 5)])
    #expect(exchanges[0].code == CR_TRANSFER_TOO_LARGE)
    #expect(body.utf8.count < 4 && sent?.outcome == CR_SENT_ABORTED)
  }

  private func respond(_ connection: OpaquePointer, _ status: Int32) -> Int32 {
    "gone".withCString { body in
      var response = cr_response()
      response.status = status
      response.body = UnsafeRawPointer(body)
      response.body_len = 4
      response.close = true
      return cr_respond(connection, &response)
    }
  }

  @Test func anAnswerOfWhichNothingIsOutGivesWayToAnother() {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    }
    let run = ClientRun()
    run.stopsWhenDone = false
    let front = RelayFront(run) { connection in
      #expect(RelayFront.begin(connection, length: 10) == 0)
      run.start("one", upstream.url()) { exchange in
        #expect(exchange.relay(to: connection) == 0)
        #expect(respond(connection, 503) == CR_ESTATE.rawValue)  // it is being fed
      } whenDone: { _ in
        #expect(respond(connection, 99) == CR_EINVALID.rawValue)
        #expect(respond(connection, 503) == 0)
        #expect(respond(connection, 503) == CR_ESTATE.rawValue)
      }
    }
    let downstream = Downstream(port: front.port) { run.post { cr_loop_stop(run.loop) } }
    run.run()
    #expect(run.events == ["request", "one head 200", "one done broken", "sent 0"])
    #expect(downstream.body == "gone")
    #expect(front.sent.map(\.status) == [503] && front.sent[0].body_bytes == 4)
  }

  @Test func anAnswerThatIsOnItsWayDoesNotGiveWay() {
    let run = ClientRun()
    run.stopsWhenDone = false
    let front = RelayFront(run) { connection in
      #expect(RelayFront.begin(connection, length: 5) == 0)
      #expect(cr_respond_write(connection, "h", 1) == 0)
      #expect(respond(connection, 503) == CR_ESTATE.rawValue)
      #expect(cr_respond_write(connection, "ello", 4) == 0)
    }
    let downstream = Downstream(port: front.port) { run.post { cr_loop_stop(run.loop) } }
    run.run()
    #expect(downstream.body == "hello")
  }
}
