// Upstreams that break off, stall, flood or talk nonsense; requests that must not be sent.
// Each ends with the one code that the contract names.

import CReactor
import Glibc
import Testing

private typealias Request = ClientRun.Request

@Suite(.serialized) struct TransferFaultTests {
  private static func answering(_ answer: String) -> Upstream {
    Upstream { peer in
      _ = peer.readHead()
      peer.send(answer)
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  ])
  func bodiesThatEndTooSoonAreBroken(answer: String) {
    let upstream = Self.answering(answer)
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one head 200", "one done broken"])
    #expect(one.body == "hello")
    #expect(one.bodyBytes == 5)
    #expect(!one.message.isEmpty)
  }

  @Test func aMalformedChunkIsBroken() {
    let upstream = Self.answering(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
    let run = ClientRun()
    run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one head 200", "one done broken"])
  }

  @Test func aResetInTheBodyIsBroken() {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
      usleep(50_000)
      peer.reset()
    }
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one head 200", "one done broken"])
    #expect(one.body == "hello")
  }

  @Test func aBodyThatBrokeBeforeItsConsumerCameIsToldAfterwards() {
    let upstream = Self.answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url()) { one in
      run.after(60) {
        run.note("now")
        one.collect()
      }
    }
    run.run()
    #expect(run.events == ["one head 200", "now", "one done broken"])
  }

  @Test(arguments: [true, false])
  func anEndBeforeTheHeadIsBroken(byReset: Bool) {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      if byReset { peer.reset() }
    }
    let run = ClientRun()
    run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one done broken"])
  }

  @Test(arguments: [
    "hello, I am no HTTP server\r\n\r\n",
    "HTTP/1.1 099 Odd\r\n\r\n",
    "HTTP/1.1 1000 Odd\r\n\r\n",
    "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000000\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
  ])
  func headsThatCannotBeUnderstoodAreRefused(answer: String) {
    let upstream = Self.answering(answer)
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one done protocol"])
    #expect(!one.message.isEmpty)
  }

  /// The limit, LIMIT_UPSTREAM_HEAD_BYTES, is 64 KiB.
  @Test(arguments: [
    ("many lines", false), ("one line", false), ("interim heads", false), ("just below", true),
  ])
  func headsOverTheLimitAreRefused(kind: String, taken: Bool) {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      switch kind {
      case "one line":
        peer.send("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 1 << 20))\r\n\r\n")
      case "interim heads":
        while peer.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") {}
      case "many lines":
        peer.send("HTTP/1.1 200 OK\r\n")
        while peer.send("X-Header: \(String(repeating: "x", count: 200))\r\n") {}
      default:
        peer.send("HTTP/1.1 200 OK\r\n")
        for _ in 0..<63 { peer.send("X: \(String(repeating: "x", count: 1019))\r\n") }
        peer.send("Content-Length: 0\r\n\r\n")
      }
    }
    let run = ClientRun()
    let one = run.start("one", upstream.url())
    run.run()
    #expect(run.events == (taken ? ["one head 200", "one done ok"] : ["one done protocol"]))
    if taken { #expect(one.headers.utf8.count == 63 * 1024 + 19) }
  }

  @Test func moreBytesThanDeclaredAreNotTakenAndTheConnectionIsNotReused() {
    let upstream = Upstream { peer in
      while peer.readHead() != nil {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 666 Smuggled\r\n\r\n")
      }
    }
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    let one = run.start("one", upstream.url())
    let two = run.start("two", upstream.url())
    run.run()
    #expect(run.events == ["one head 200", "one done ok", "two head 200", "two done ok"])
    #expect(one.body == "hello" && two.body == "hello")
    #expect(upstream.connections == 2)
  }

  @Test(arguments: [4, 5])
  func collectingStopsAtItsLimit(max: Int) {
    for rest in [
      "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
      let upstream = Self.answering("HTTP/1.1 200 OK\r\n" + rest)
      let run = ClientRun()
      run.start("one", upstream.url()) { $0.collect(max) }
      run.run()
      #expect(run.events == ["one head 200", max == 5 ? "one done ok" : "one done too large"])
    }
  }

  // Time limits

  @Test(arguments: ["", "HTTP/1.1 200 OK\r\nX-A: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n"])
  func anUpstreamThatNeverAnswersTimesOut(part: String) {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.send(part)
      peer.waitForClose()
    }
    let run = ClientRun()
    let one = run.start("one", upstream.url(), Request(firstByteTimeout: 100))
    run.run()
    #expect(run.events == ["one done timeout"])
    #expect(one.address == "127.0.0.1")
  }

  @Test func timeInTheQueueCounts() {
    let upstream = Upstream { peer in
      _ = peer.readHead()
      peer.waitForClose()
    }
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    run.start("first", upstream.url(), Request(firstByteTimeout: 300))
    let two = run.start("second", upstream.url(), Request(firstByteTimeout: 100))
    run.run()
    #expect(run.events == ["second done timeout", "first done timeout"])
    #expect(two.address == "")
    #expect(upstream.connections == 1)
  }

  @Test func aBodyThatStallsIsGivenUpOnAndASlowOneIsNot() {
    let upstream = Upstream { peer in
      let head = peer.readHead()
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
      for letter in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        if letter == "c" && head?.contains("/stalls") == true { peer.waitForClose() }
        usleep(60_000)
        peer.send(letter)
      }
    }
    let run = ClientRun()
    let slow = run.start("slow", upstream.url(), Request(stallTimeout: 300))
    let stalls = run.start("stalls", upstream.url("/stalls"), Request(stallTimeout: 300))
    run.run()
    #expect(slow.body == "abcdefgh")
    #expect(stalls.code == CR_TRANSFER_STALLED)
    #expect(stalls.bodyBytes == 2)
  }

  @Test func aConnectionThatIsNotTakenTimesOut() {
    let (descriptor, port) = deafListener()
    defer { for each in descriptor { close(each) } }
    let run = ClientRun()
    run.start("one", "http://127.0.0.1:\(port)/", Request(connectTimeout: 150))
    run.run()
    #expect(run.events == ["one done connect failed"])
  }

  // Never sent

  @Test func nobodyListeningIsAFailedConnection() {
    let run = ClientRun()
    let one = run.start("one", "http://127.0.0.1:1/secret?token=x")
    run.run()
    #expect(run.events == ["one done connect failed"])
    #expect(one.address == "")
    #expect(!one.message.contains("secret") && !one.message.contains("token"))
  }

  @Test func aNameThatDoesNotExistIsNotResolved() {
    let run = ClientRun()
    run.start("one", "http://nothing.invalid/")
    run.run()
    #expect(run.events == ["one done resolve failed"])
  }

  @Test(arguments: [
    "ftp://127.0.0.1/", "file:///etc/passwd", "http://u:p@127.0.0.1:1/", "http://[x/",
  ])
  func urlsThatAreNotForUsAreInvalid(url: String) {
    let run = ClientRun()
    run.start("one", url)
    run.run()
    #expect(run.events == ["one done invalid"])
  }

  @Test func plainHTTPNeedsToBeAllowed() {
    let upstream = Self.answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    var settings = ClientRun.Settings()
    settings.plain = false
    let run = ClientRun(settings)
    run.start("one", upstream.url())
    run.run()
    #expect(run.events == ["one done invalid"])
    #expect(upstream.connections == 0)
  }

  @Test func requestsThatCannotBeSentAreNotTaken() {
    let run = ClientRun()
    let url = "http://127.0.0.1:1/"
    let invalid = CR_EINVALID.rawValue
    let tooLarge = CR_ETOOLARGE.rawValue
    #expect(run.refusal("/relative") == invalid)
    #expect(run.refusal(url + "a b") == invalid)
    #expect(run.refusal(url + "a\r\nX: y") == invalid)
    #expect(run.refusal(url + "é") == invalid)
    #expect(run.refusal(url + String(repeating: "x", count: 16 * 1024)) == tooLarge)
    #expect(run.refusal(url, Request(method: "get")) == invalid)
    #expect(run.refusal(url, Request(method: "GET /x")) == invalid)
    #expect(run.refusal(url, Request(method: "GET", body: "x")) == invalid)
    for header in [
      "", "No colon", ": x", "A B: c", "A\r: b", "X: a\r\nY: b", "X: a\nb", "X: \u{7f}", "X: \u{1}",
      "Content-Length: 5", "transfer-encoding: chunked",
    ] {
      #expect(run.refusal(url, Request(headers: [header])) == invalid, "\(header)")
    }
    #expect(run.refusal(url, Request(headers: Array(repeating: "X: y", count: 101))) == tooLarge)
    let long = "X: " + String(repeating: "y", count: 48 * 1024)
    #expect(run.refusal(url, Request(headers: [long])) == tooLarge)
    run.post { cr_loop_stop(run.loop) }
    run.run()
    #expect(run.events.isEmpty)
  }

  /// Each connection is good for one answer and then takes a request to its grave; curl asks anew
  /// over another, and must not tire of it.
  @Test func keptConnectionsMayDieAnyNumberOfTimes() {
    let upstream = Upstream { peer in
      guard peer.readHead() != nil else { return }
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      _ = peer.readHead()
    }
    let run = ClientRun()
    run.stopsWhenDone = false
    func next(_ n: Int) {
      if n == 20 { return run.post { cr_loop_stop(run.loop) } }
      run.start("\(n)", upstream.url()) {
        $0.collect()
      } whenDone: { one in
        #expect(one.code == CR_TRANSFER_OK && one.body == "ok", "\(n): \(one.message)")
        next(n + 1)
      }
    }
    next(0)
    run.run()
    #expect(upstream.connections == 20)
  }
}
