// Which of a name's addresses is connected to, and which connections are used again.

import CReactor
import Testing

private typealias Request = ClientRun.Request

@Suite(.serialized) struct TransferPeerTests {
  private static func answering(_ text: String) -> @Sendable (Peer) -> Void {
    { peer in
      while peer.readHead() != nil {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
      }
    }
  }

  private static func oneAfterTheOther() -> ClientRun {
    var settings = ClientRun.Settings()
    settings.active = 1
    return ClientRun(settings)
  }

  @Test func anAddressIsAvoidedAsLongAsThereIsAnother() {
    let (one, two) = Upstream.pair(Self.answering("one"), Self.answering("two"))
    let url = "http://127-0-0-1.127-0-0-2.all.test:\(one.port)/"
    let run = Self.oneAfterTheOther()
    let rounds = 12
    let toTwo = (0..<rounds).map {
      run.start("\($0)", url, Request(fresh: true, avoid: "127.0.0.1"))
    }
    let toOne = (0..<rounds).map {
      run.start("\($0)", url, Request(fresh: true, avoid: "127.0.0.2"))
    }
    let either = run.start("either", url, Request(fresh: true, avoid: "127.0.0.2, 127.0.0.1"))
    run.run()
    #expect(toTwo.allSatisfy { $0.body == "two" && $0.address == "127.0.0.2" })
    #expect(toOne.allSatisfy { $0.body == "one" && $0.headAddress == "127.0.0.1" })
    #expect(either.code == CR_TRANSFER_OK)
    #expect(one.connections + two.connections == 2 * rounds + 1)
  }

  @Test(arguments: ["127-0-0-1", "127-0-0-1.127-0-0-77"])
  func theOnlyAddressThatAnswersIsNotAvoided(names: String) {
    let upstream = Upstream(Self.answering("one"))
    let run = ClientRun()
    let url = "http://\(names).all.test:\(upstream.port)/"
    let one = run.start("one", url, Request(fresh: true, avoid: "127.0.0.1"))
    run.run()
    #expect(run.events == ["one head 200", "one done ok"])
    #expect(one.address == "127.0.0.1")
  }

  @Test func avoidingOpensNoWayToRefusedAddresses() {
    let (one, two) = Upstream.pair(Self.answering("one"), Self.answering("two"))
    var settings = ClientRun.Settings()
    settings.allowAny = false
    settings.allowed = "127.0.0.2"
    let run = ClientRun(settings)
    let only = run.start(
      "only", "http://127-0-0-1.127-0-0-2.all.test:\(one.port)/",
      Request(fresh: true, avoid: "127.0.0.2"))
    let none = run.start(
      "none", "http://127-0-0-1.all.test:\(one.port)/", Request(fresh: true, avoid: "127.0.0.1"))
    run.run()
    #expect(only.body == "two")
    #expect(none.code == CR_TRANSFER_ADDRESS_REFUSED && none.message == "127.0.0.1")
    #expect(one.connections == 0 && two.connections == 1)
  }

  @Test func whatIsAvoidedMustBeAddresses() {
    let run = ClientRun()
    let invalid = CR_EINVALID.rawValue
    #expect(run.refusal("http://127.0.0.1:1/", Request(avoid: "localhost")) == invalid)
    run.post { cr_loop_stop(run.loop) }
    run.run()
  }

  /// The name is allowed at first and leads elsewhere later: it is the socket that counts.
  @Test func aNameThatChangesItsAddressIsRefusedByTheNewOne() {
    let (one, _) = Upstream.pair(Self.answering("one"), Self.answering("two"))
    var settings = ClientRun.Settings()
    settings.active = 1
    settings.allowAny = false
    settings.allowed = "127.0.0.2"
    let run = ClientRun(settings)
    let url = "http://127-0-0-2.127-0-0-1.change.turns.test:\(one.port)/"
    let first = run.start("first", url)
    let changed = run.start("changed", url, Request(fresh: true))
    run.run()
    #expect(first.body == "two")
    #expect(changed.code == CR_TRANSFER_ADDRESS_REFUSED && changed.message == "127.0.0.1")
    #expect(one.connections == 0)
  }

  @Test func aFreshConnectionLooksTheNameUpAgain() {
    let (one, _) = Upstream.pair(Self.answering("one"), Self.answering("two"))
    let run = Self.oneAfterTheOther()
    let url = "http://127-0-0-1.127-0-0-2.127-0-0-1.change.turns.test:\(one.port)/"
    let transfers = [false, false, true, true].enumerated().map {
      run.start("\($0.offset)", url, Request(fresh: $0.element))
    }
    run.run()
    #expect(transfers.map(\.body) == ["one", "one", "two", "one"])
  }

  /// One handle of curl's goes from host to host; what it repeats goes to the last one's, never with
  /// a credential to the one before.
  @Test(arguments: [true, false])
  func aRequestThatIsRepeatedGoesToItsOwnHost(byReset: Bool) {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    let other = Upstream(answer: answer)
    let dying = Upstream { peer in
      while peer.readHead() != nil {
        if peer.upstreamHeads == 2 { return byReset ? peer.reset() : peer.close() }
        peer.send(answer)
      }
    }
    let run = ClientRun()
    run.stopsWhenDone = false
    let order = [other, dying, other, dying, other]
    func next(_ number: Int) {
      guard number < order.count else { return cr_loop_stop(run.loop) }
      let request = Request(headers: ["X-Secret: \(number)"])
      run.start(
        "\(number)", order[number].url("/\(number)"), request,
        whenDone: { _ in next(number + 1) })
    }
    next(0)
    run.run()
    #expect(run.events == (0..<5).flatMap { ["\($0) head 200", "\($0) done ok"] })
    #expect(other.heads.map { $0.prefix(6) } == ["GET /0", "GET /2", "GET /4"])
    #expect(dying.heads.map { $0.prefix(6) } == ["GET /1", "GET /3", "GET /3"])
    #expect(dying.heads.allSatisfy { $0.contains("Host: 127.0.0.1:\(dying.port)\r\n") })
  }

  @Test(arguments: [(200, 1), (399, 1), (400, 3), (404, 3), (503, 3)])
  func connectionsOfErrorsAreClosedWhereThatIsAsked(status: Int, connections: Int) {
    let upstream = Upstream(answer: "HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
    let run = Self.oneAfterTheOther()
    for n in 0..<3 { run.start("\(n)", upstream.url(), Request(closeOnError: true)) }
    run.run()
    #expect(upstream.connections == connections)
    let other = Self.oneAfterTheOther()
    for n in 0..<3 { other.start("\(n)", upstream.url()) }
    other.run()
    #expect(upstream.connections == connections + 1)
  }
}
