// Which transfers are handed to curl, and when: the cap per host, its adaptation, the turns that
// hosts take.

import CReactor
import Glibc
import Synchronization
import Testing

/// Answers after `milliseconds`, and counts the requests that it has not answered. `serially`: one
/// after the other, as if it had one worker.
private final class Counting: Sendable {
  private struct Counts {
    var open = 0
    var heads = 0
    var peaks: [Int] = []
  }
  private let counts = Mutex(Counts())
  private let idleAt = Mutex(UInt64(0))
  private let delay: UInt64
  private let serially: Bool

  init(milliseconds: UInt64, serially: Bool = false) {
    delay = milliseconds * 1000
    self.serially = serially
  }

  /// How many were open when each request came.
  var peaks: [Int] { counts.withLock { $0.peaks } }

  private func wait() {
    let now = cr_clock_us()
    let end =
      serially
      ? idleAt.withLock {
        $0 = max($0, now) + delay
        return $0
      } : now + delay
    usleep(UInt32(end - now))
  }

  func upstream() -> Upstream {
    Upstream { [self] peer in
      while peer.readHead() != nil {
        counts.withLock {
          $0.open += 1
          $0.peaks.append($0.open)
        }
        wait()
        counts.withLock { $0.open -= 1 }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
  }
}

@Suite(.serialized) struct AdmissionTests {
  private static let small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  private static func client(active: UInt32, unanswered: UInt32) -> ClientRun {
    var settings = ClientRun.Settings()
    settings.active = active
    settings.unanswered = unanswered
    return ClientRun(settings)
  }

  @Test(arguments: [4, 0] as [UInt32])
  func aHundredPausedTransfersDoNotBlockASmallOne(unanswered: UInt32) {
    let body = String(repeating: "x", count: 1 << 20)
    let upstream = Upstream { peer in
      while let head = peer.readHead() {
        let isLarge = head.hasPrefix("GET /large")
        peer.send(
          isLarge
            ? "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body : Self.small)
      }
    }
    let run = Self.client(active: 128, unanswered: unanswered)
    var paused: [Exchange] = []
    var small: Exchange?
    for n in 0..<100 {
      run.start("large \(n)", upstream.url("/large")) { one in
        paused.append(one)
        guard paused.count == 100 else { return }
        small = run.start(
          "small", upstream.url("/small"), whenHead: { $0.collect() },
          whenDone: { _ in for one in paused { one.cancel() } })
      }
    }
    run.run()
    #expect(small?.body == "ok")
    #expect(paused.allSatisfy { $0.code == CR_TRANSFER_CANCELLED })
  }

  @Test func noMoreThanTheCapWaitForTheirHeads() {
    let counting = Counting(milliseconds: 5)
    let upstream = counting.upstream()
    let run = Self.client(active: 64, unanswered: 3)
    let all = (0..<40).map { run.start("\($0)", upstream.url()) }
    run.run()
    #expect(all.allSatisfy { $0.code == CR_TRANSFER_OK })
    #expect(counting.peaks.max() == 3)
  }

  @Test func theCapGrowsWithTheLatency() {
    let counting = Counting(milliseconds: 80)
    let upstream = counting.upstream()
    let run = Self.client(active: 2048, unanswered: 0)
    let all = (0..<1200).map { run.start("\($0)", upstream.url()) }
    run.run()
    #expect(all.allSatisfy { $0.code == CR_TRANSFER_OK })
    #expect(counting.peaks.max()! >= 300, "\(counting.peaks.max()!)")
    #expect(counting.peaks.max()! <= 1024)
  }

  @Test func theCapShrinksWhereTransfersOnlyQueueUp() {
    let counting = Counting(milliseconds: 2, serially: true)
    let upstream = counting.upstream()
    let run = Self.client(active: 2048, unanswered: 0)
    let all = (0..<600).map { run.start("\($0)", upstream.url()) }
    run.run()
    #expect(all.allSatisfy { $0.code == CR_TRANSFER_OK })
    let early = counting.peaks.prefix(100).max()!
    let late = counting.peaks.suffix(200).sorted()[100]
    #expect(early >= 60 && late <= 40, "\(early), then \(late)")
  }

  @Test func filesThatHangDoNotBlockOthersForLong() {
    let upstream = Upstream { peer in
      while let head = peer.readHead() {
        if head.hasPrefix("GET /hangs") { return peer.waitForClose() }
        peer.send(Self.small)
      }
    }
    let run = Self.client(active: 512, unanswered: 0)
    let hanging = (0..<200).map { run.start("hangs \($0)", upstream.url("/hangs")) }
    let small = run.start(
      "small", upstream.url("/small"), whenHead: { $0.collect() },
      whenDone: { _ in for one in hanging { one.cancel() } })
    run.run()
    #expect(small.body == "ok")
  }

  @Test func transfersToOneHostGoInOrderAndHostsTakeTurns() {
    let one = Upstream(answer: Self.small)
    let two = Upstream(answer: Self.small)
    let run = Self.client(active: 1, unanswered: 1)
    for n in 1...3 { run.start("one \(n)", one.url("/\(n)")) }
    let cancelled = run.start("cancelled", one.url("/cancelled"))
    for n in 4...5 { run.start("one \(n)", one.url("/\(n)")) }
    for n in 1...2 { run.start("two \(n)", two.url("/\(n)")) }
    cancelled.cancel()
    run.run()
    let ends = run.events.filter { $0.hasSuffix("done ok") }.map { $0.dropLast(8) }
    #expect(ends == ["one 1", "two 1", "one 2", "two 2", "one 3", "one 4", "one 5"])
    #expect(one.heads.map { $0.prefix(6) } == ["GET /1", "GET /2", "GET /3", "GET /4", "GET /5"])
    #expect(cancelled.code == CR_TRANSFER_CANCELLED)
  }

  @Test(arguments: ["refuses", "hangs", "breaks"])
  func aHostThatFailsDoesNotStallAnother(how: String) {
    let failing = Upstream { peer in
      _ = peer.readHead()
      if how == "hangs" { peer.waitForClose() }
    }
    let healthy = Upstream(answer: Self.small)
    let run = Self.client(active: 8, unanswered: 2)
    let url = how == "refuses" ? "http://127.0.0.1:1/" : failing.url()
    let bad = (0..<40).map { run.start("bad \($0)", url) }
    var left = 40
    let good = (0..<40).map {
      run.start(
        "good \($0)", healthy.url(), whenHead: { $0.collect() },
        whenDone: { _ in
          left -= 1
          if left == 0 && how == "hangs" { for one in bad { one.cancel() } }
        })
    }
    run.run()
    #expect(good.allSatisfy { $0.code == CR_TRANSFER_OK })
    #expect(bad.allSatisfy { $0.code != CR_TRANSFER_OK })
  }

  @Test func manyHostsAreForgottenAgain() {
    let upstream = Upstream(answer: Self.small)
    let run = Self.client(active: 16, unanswered: 1)
    for port in 1...600 { run.start("\(port)", "http://127.0.0.1:\(port)/") }
    let good = run.start("good", upstream.url())
    run.run()
    #expect(good.code == CR_TRANSFER_OK)
  }
}
