// How transfers end from our side: cancelled at every stage, with their client, with the loop.

import CReactor
import Glibc
import Testing

@Suite(.serialized) struct TransferEndTests {
  private static func answering(_ answer: String) -> Upstream {
    Upstream { peer in
      _ = peer.readHead()
      peer.send(answer)
    }
  }

  @Test func cancellingAtOnceOrWhileQueuedSendsNothing() {
    let upstream = Self.answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    var settings = ClientRun.Settings()
    settings.active = 1
    let run = ClientRun(settings)
    let first = run.start("first", upstream.url("/first"))
    let second = run.start("second", upstream.url("/second"))
    let third = run.start("third", upstream.url("/third"))
    second.cancel()
    second.cancel()
    #expect(run.events.isEmpty)
    run.run()
    #expect(first.code == CR_TRANSFER_OK)
    #expect(third.code == CR_TRANSFER_OK, "\(third.message)")
    #expect(second.code == CR_TRANSFER_CANCELLED)
    #expect(upstream.heads.map { $0.prefix(6) } == ["GET /f", "GET /t"])
  }

  @Test(arguments: ["resolving", "connecting", "waiting", "in on_head", "paused", "collecting"])
  func cancellingEndsTheTransferAtOnce(stage: String) {
    let (descriptors, port) = deafListener()
    defer { for each in descriptors { close(each) } }
    let run = ClientRun()
    let reachesUpstream = stage != "resolving" && stage != "connecting"
    let upstream = Upstream { peer in
      guard peer.readHead() != nil, reachesUpstream else { return }
      if stage != "waiting" {
        peer.send(
          "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
            + String(repeating: "x", count: 500_000))
      }
      run.post {
        run.note("upstream")
        if stage == "waiting" { run.next() }
      }
      peer.waitForClose()
      run.post {
        run.note("closed")
        cr_loop_stop(run.loop)
      }
    }
    run.stopsWhenDone = !reachesUpstream
    var url = upstream.url()
    if stage == "resolving" { url = "http://localhost:\(upstream.port)/" }
    if stage == "connecting" { url = "http://127.0.0.1:\(port)/" }
    let one = run.start("one", url) { one in
      if stage == "in on_head" { one.cancel() }
      if stage == "collecting" { one.collect() }
      if stage == "paused" || stage == "collecting" { run.after(50) { run.next() } }
    }
    run.next = {
      one.cancel()
      one.cancel()
      #expect(one.code == nil)
    }
    if stage == "resolving" { run.post { one.cancel() } }
    if stage == "connecting" { run.after(150) { run.next() } }
    run.run()
    #expect(one.code == CR_TRANSFER_CANCELLED)
    #expect(run.events.filter { $0.hasPrefix("one done") } == ["one done cancelled"])
    if reachesUpstream { #expect(run.events.last == "closed") }
    #expect(
      run.events.contains("one head 200") == ["in on_head", "paused", "collecting"].contains(stage))
  }

  @Test func cancellingWhatHasFinishedUnconsumedEndsIt() {
    let upstream = Self.answering("HTTP/1.1 204 No Content\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url()) { one in run.after(60) { one.cancel() } }
    run.run()
    #expect(run.events == ["one head 204", "one done cancelled"])
  }

  @Test func cancellingFromOnDoneIsHarmless() {
    let upstream = Self.answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    run.start("one", upstream.url()) {
      $0.collect()
    } whenDone: {
      $0.cancel()
    }
    run.run()
    #expect(run.events == ["one head 200", "one done ok"])
  }

  @Test(arguments: [true, false])
  func theEndOfTheClientOrTheLoopCancelsWhatIsLeft(byLoop: Bool) {
    let upstream = Upstream { peer in
      let head = peer.readHead()
      if head?.contains("/waits") == true { peer.waitForClose() }
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello")
      peer.waitForClose()
    }
    var settings = ClientRun.Settings()
    settings.active = 3
    let run = ClientRun(settings)
    run.stopsWhenDone = false
    run.start("waits", upstream.url("/waits"))
    run.start("paused", upstream.url("/paused")) { _ in }
    run.start("collecting", upstream.url("/collecting"))
    run.start("queued", upstream.url("/queued"))
    run.after(150) {
      run.note("end")
      if byLoop {
        cr_loop_stop(run.loop)
      } else {
        run.closeClient()
        run.post { cr_loop_stop(run.loop) }
      }
    }
    run.run()
    let ends = run.events.drop { $0 != "end" }.dropFirst().sorted()
    #expect(
      ends == ["collecting", "paused", "queued", "waits"].map { "\($0) done cancelled" })
    #expect(run.events.contains("paused head 200"))
  }

  @Test func aClientMayBeClosedFromOnDone() {
    let upstream = Self.answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let run = ClientRun()
    run.stopsWhenDone = false
    run.start("one", upstream.url()) {
      $0.collect()
    } whenDone: { _ in
      run.closeClient()
      let (result, _) = run.open(ClientRun.Settings())
      #expect(result == 0)
      run.stopsWhenDone = true
      run.start("two", upstream.url())
    }
    run.run()
    #expect(run.events == ["one head 200", "one done ok", "two head 200", "two done ok"])
  }

  @Test func nothingStartsWhenTheLoopHasEnded() {
    let upstream = Self.answering("")
    let run = ClientRun()
    var late: Int32 = 0
    run.stopsWhenDone = false
    run.start("one", upstream.url()) {
      $0.collect()
    } whenDone: { _ in
      late = run.refusal(upstream.url())
    }
    cr_loop_stop(run.loop)
    run.run()
    #expect(run.events == ["one done cancelled"])
    #expect(late == CR_ESTATE.rawValue)
  }
}
