// Transfers against upstreams on raw sockets: what is sent, what is understood, in which order
// the callbacks come.

import CReactor
import Glibc
import Synchronization
import Testing

private typealias Request = ClientRun.Request

@Suite(.serialized) struct TransferTests {
  @Test func headComesBeforeTheBodyAndBothOnce() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello")
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    #expect(run.events.isEmpty)
    run.run()
    #expect(run.events == ["one head 200", "one done ok"])
    #expect(one.body == "hello")
    #expect(one.length == 5)
    #expect(one.headers == "Content-Length: 5\r\nX-A: b\r\n")
    #expect(one.address == "127.0.0.1")
    #expect(one.bodyBytes == 5)
    #expect(one.relayedBytes == 0)
  }

  @Test(arguments: [
    ("length", "Content-Length: 5\r\n\r\nhello"),
    (
      "chunks", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n"
    ),
    ("close", "Connection: close\r\n\r\nhello"),
  ])
  func bodiesOfEachFramingAreCollected(name: String, rest: String) {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\n" + rest)
    }
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(one.body == "hello")
    #expect(one.length == (name == "length" ? 5 : nil))
    #expect(!one.headers.contains("X-Trailer"))
    #expect(run.events == ["one head 200", "one done ok"])
  }

  @Test func interimHeadsAreNotAnnounced() {
    let upstream = Upstream(
      answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one head 404", "one done ok"])
    #expect(one.headers == "Content-Length: 2\r\n")
  }

  @Test func anEmptyBodyKeepsItsEndUntilAConsumerCame() {
    let upstream = Upstream(answer: "HTTP/1.1 204 No Content\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url()) { one in
      run.after(60) {
        run.note("now")
        #expect(one.collect() == 0)
        #expect(one.collect() == CR_ESTATE.rawValue)
      }
    }
    run.run()
    #expect(run.events == ["one head 204", "now", "one done ok"])
  }

  @Test func aBodyWaitsForItsConsumer() {
    let body = String(repeating: "0123456789abcdef", count: 32 * 1024)
    let upstream = Upstream(
      answer: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
    let run = ClientRun()
    let one = run.start("one", upstream.url(), Request(stallTimeout: 40)) { one in
      run.after(200) {
        run.note("now")
        one.collect()
      }
    }
    run.run()
    #expect(run.events == ["one head 200", "now", "one done ok"])
    #expect(one.body == body)
  }

  @Test func methodsHeadersAndBodiesGoOutAsGiven() {
    let bodies = Mutex<[String]>([])
    let upstream = Upstream { peer in
      while let head = peer.readHead() {
        if head.contains("Content-Length: 5") {
          let body = peer.readBody(5)!
          bodies.withLock { $0.append(body) }
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      }
    }
    var settings = ClientRun.Settings()
    settings.active = 1
    settings.agent = "tester/1"
    let run = ClientRun(settings)
    let empty = Request(method: "PUT", headers: ["X-Empty:", "Content-Type: a/b"], body: "")
    run.start("put", upstream.url("/1"), Request(method: "PUT", body: "12345"))
    run.start("get", upstream.url("/2"), Request(headers: ["Range: bytes=1-", "Accept: x/y"]))
    run.start("post", upstream.url("/3"), Request(method: "POST", body: "67890"))
    run.start("head", upstream.url("/4"), Request(method: "HEAD"))
    run.start("delete", upstream.url("/5"), Request(method: "DELETE"))
    run.start("empty", upstream.url("/6"), empty)
    run.run()

    let host = "Host: 127.0.0.1:\(upstream.port)\r\nUser-Agent: tester/1"
    #expect(
      upstream.heads == [
        "PUT /1 HTTP/1.1\r\n\(host)\r\nAccept: */*\r\nContent-Length: 5",
        "GET /2 HTTP/1.1\r\n\(host)\r\nRange: bytes=1-\r\nAccept: x/y",
        "POST /3 HTTP/1.1\r\n\(host)\r\nAccept: */*\r\nContent-Length: 5",
        "HEAD /4 HTTP/1.1\r\n\(host)\r\nAccept: */*",
        "DELETE /5 HTTP/1.1\r\n\(host)\r\nAccept: */*",
        "PUT /6 HTTP/1.1\r\n\(host)\r\nAccept: */*\r\nX-Empty:\r\nContent-Type: a/b\r\nContent-Length: 0",
      ])
    #expect(bodies.withLock { $0 } == ["12345", "67890"])
    #expect(upstream.connections == 1)
  }

  @Test func anAnswerToHeadHasALengthAndNoBody() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
    let run = ClientRun()
    let one = run.start("one", upstream.url(), Request(method: "HEAD")) { $0.collect(0) }
    run.run()
    #expect(one.code == CR_TRANSFER_OK)
    #expect(one.length == 5_000_000)
    #expect(one.bodyBytes == 0)
  }

  @Test(arguments: [
    "/a/../b", "/a/./b", "//a//b", "/a%2Fb", "/%2e%2e/x", "/%00", "/a?b=/../c&d=%20", "/~/x",
  ])
  func pathsAreSentAsTheyStand(path: String) {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url(path))
    run.run()
    #expect(upstream.heads.first?.hasPrefix("GET \(path) HTTP/1.1\r\n") == true)
  }

  @Test(arguments: [
    ("", "/"), ("?a=b/c", "/?a=b/c"), ("/x#y", "/x"), ("#y", "/"), ("?a#b://c", "/?a"),
  ])
  func whatFollowsTheHostIsATarget(rest: String, target: String) {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url(rest))
    run.run()
    #expect(upstream.heads.first?.hasPrefix("GET \(target) HTTP/1.1\r\n") == true)
  }

  @Test func redirectsAreAnswersAndNotFollowed() {
    let other = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let upstream = Upstream(
      answer: "HTTP/1.1 302 Found\r\nLocation: \(other.url())\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one head 302", "one done ok"])
    #expect(upstream.heads.count == 1)
    #expect(other.connections == 0)
  }

  @Test func encodedBodiesAreNotDecodedNorAskedFor() {
    let upstream = Upstream(
      answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(one.body == "nope")
    #expect(upstream.heads.first?.contains("Accept-Encoding") == false)
  }

  @Test func cookiesAreNotKept() {
    let upstream = Upstream(
      answer: "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    run.start("one", upstream.url())
    run.start("two", upstream.url())
    run.run()
    #expect(upstream.heads.count == 2)
    #expect(upstream.heads.allSatisfy { !$0.contains("Cookie") })
  }

  @Test func connectionsAreReusedUnlessAFreshOneIsAskedFor() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    let counts = Mutex<[Int]>([])
    for fresh in [false, false, true, false, true] {
      run.start("x", upstream.url(), Request(fresh: fresh)) { exchange in
        counts.withLock { $0.append(upstream.connections) }
        exchange.collect()
      }
    }
    run.run()
    #expect(counts.withLock { $0 } == [1, 1, 2, 2, 3])
  }

  @Test func aConnectionThatDiedWhileIdleIsReplaced() {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
    let run = ClientRun()
    run.stopsWhenDone = false
    run.start("one", upstream.url()) {
      $0.collect()
    } whenDone: { _ in
      run.after(50) {
        run.stopsWhenDone = true
        run.start("two", upstream.url())
      }
    }
    run.run()
    #expect(run.events == ["one head 200", "one done ok", "two head 200", "two done ok"])
    #expect(upstream.connections == 2)
  }

  @Test(arguments: [true, false])
  func aReusedConnectionThatEndsBeforeAnyAnswerIsReplaced(byReset: Bool) {
    let upstream = Upstream { peer in
      while peer.readHead() != nil {
        if peer.number == 1 && peer.upstreamHeads == 2 {
          return byReset ? peer.reset() : peer.close()
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    run.start("one", upstream.url("/1"))
    run.start("two", upstream.url("/2"))
    run.run()
    #expect(run.events == ["one head 200", "one done ok", "two head 200", "two done ok"])
    #expect(upstream.heads.map { $0.prefix(6) } == ["GET /1", "GET /2", "GET /2"])
    #expect(upstream.connections == 2)
  }

  @Test func waitingTransfersGoInOrderOneAtATime() {
    let open = Mutex(0)
    let upstream = Upstream { peer in
      while peer.readHead() != nil {
        #expect(
          open.withLock {
            $0 += 1
            return $0
          } == 1)
        open.withLock { $0 -= 1 }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      }
    }
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    for n in 1...20 { run.start("\(n)", upstream.url("/\(n)")) }
    run.run()
    #expect(run.events == (1...20).flatMap { ["\($0) head 200", "\($0) done ok"] })
    #expect(upstream.heads.map { $0.prefix(7) } == (1...20).map { "GET /\($0) HTTP".prefix(7) })
    #expect(upstream.connections == 1)
  }

  @Test func manyTransfersAtOnceAllEnd() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    var settings = ClientRun.Settings()
    settings.active = 7
    let run = ClientRun(settings)
    let all = (1...300).map { run.start("\($0)", upstream.url()) }
    run.run()
    #expect(all.allSatisfy { $0.code == CR_TRANSFER_OK && $0.body == "abc" })
    #expect(upstream.connections <= 7)
  }

  @Test func aNameWithSeveralAddressesIsTriedInTurn() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    let one = run.start("one", "http://localhost:\(upstream.port)/")  // ::1 listens to nobody
    run.run()
    #expect(one.code == CR_TRANSFER_OK)
    #expect(one.address == "127.0.0.1")
  }

  @Test func theEnvironmentsProxyIsUsedOnlyWhenAskedForAndIsAPeerLikeAnyOther() {
    let proxy = Upstream { peer in
      let head = peer.readHead()
      let refuses = head?.hasPrefix("CONNECT") == true
      peer.send(
        refuses
          ? "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
          : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    }
    setenv("http_proxy", proxy.url(), 1)
    setenv("https_proxy", proxy.url(), 1)
    defer {
      unsetenv("http_proxy")
      unsetenv("https_proxy")
    }
    func code(_ url: String, proxied: Bool, allowed: String?) -> cr_transfer_code? {
      var settings = ClientRun.Settings()
      settings.proxied = proxied
      settings.allowAny = false
      settings.allowed = allowed
      let run = ClientRun(settings)
      let one = run.start("one", url)
      run.run()
      return one.code
    }
    let plain = "http://upstream.invalid/x"
    #expect(code(plain, proxied: false, allowed: "127.0.0.1") == CR_TRANSFER_RESOLVE_FAILED)
    #expect(code(plain, proxied: true, allowed: nil) == CR_TRANSFER_ADDRESS_REFUSED)
    #expect(proxy.connections == 0)
    #expect(code(plain, proxied: true, allowed: "127.0.0.1") == CR_TRANSFER_OK)
    #expect(proxy.heads.last?.hasPrefix("GET http://upstream.invalid/x HTTP/1.1") == true)
    let refused = code("https://upstream.invalid/", proxied: true, allowed: "127.0.0.1")
    #expect(refused == CR_TRANSFER_CONNECT_FAILED)
    #expect(proxy.heads.last?.hasPrefix("CONNECT upstream.invalid:443 HTTP/1.1") == true)
  }

  @Test func transfersCancelledAtAnyMomentEndOnceAndTheOthersWell() {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SplitMix64(seed)
    let body = String(repeating: "x", count: 100_000)
    let upstream = Upstream(
      answer: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
    var settings = ClientRun.Settings()
    settings.active = 32
    let run = ClientRun(settings)
    var cancelled: [Exchange] = []
    var kept: [Exchange] = []
    for n in 0..<600 {
      let host = random.next() % 2 == 0 ? "localhost" : "127.0.0.1"
      let fresh = random.next() % 4 == 0
      let one = run.start(
        "\(n)", "http://\(host):\(upstream.port)/", Request(fresh: fresh))
      if random.next() % 3 == 0 {
        kept.append(one)
      } else {
        cancelled.append(one)
        run.after(random.next() % 120) { if one.code == nil { one.cancel() } }
      }
    }
    run.run()
    #expect(kept.allSatisfy { $0.code == CR_TRANSFER_OK && $0.body == body })
    #expect(
      cancelled.allSatisfy { $0.code == CR_TRANSFER_CANCELLED || $0.code == CR_TRANSFER_OK })
    #expect(cancelled.contains { $0.code == CR_TRANSFER_CANCELLED })
  }
}

private struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
