// The loop, its inbox, timers and end, driven as C drives them. Callbacks are recorded in order.

import CReactor
import Testing

private final class Recorder {
  var events: [String] = []
  var loop: OpaquePointer?
}

private func recorder(_ context: UnsafeMutableRawPointer?) -> Recorder {
  Unmanaged<Recorder>.fromOpaque(context!).takeUnretainedValue()
}

@Suite(.serialized) struct LoopTests {
  private func makeLoop(_ recorder: Recorder) -> OpaquePointer {
    var callbacks = cr_loop_callbacks()
    callbacks.context = Unmanaged.passUnretained(recorder).toOpaque()
    callbacks.on_item = { context, item in
      let me = CReactorTests.recorder(context)
      me.events.append("item \(Int(bitPattern: item))")
      if Int(bitPattern: item) == 3 { cr_loop_stop(me.loop!) }
    }
    var loop: OpaquePointer?
    #expect(cr_loop_new(callbacks, &loop) == 0)
    recorder.loop = loop
    return loop!
  }

  @Test func itemsArriveInOrderAndStopEndsTheRun() {
    let me = Recorder()
    let loop = makeLoop(me)
    for n in 1...3 { #expect(cr_loop_post(loop, UnsafeMutableRawPointer(bitPattern: n)!) == 0) }
    cr_loop_run(loop)
    #expect(me.events == ["item 1", "item 2", "item 3"])
  }

  @Test func timersFireInOrderOfDelayAndPendingOnesAreToldOfTheEnd() {
    let me = Recorder()
    let loop = makeLoop(me)
    let context = Unmanaged.passUnretained(me).toOpaque()
    var timer: OpaquePointer?
    cr_timer_start(loop, 3_600_000, { recorder($0).events.append("late \($1)") }, context, &timer)
    cr_timer_start(
      loop, 30,
      { context, fired in
        recorder(context).events.append("second \(fired)")
        cr_loop_stop(recorder(context).loop!)
      }, context, &timer)
    cr_timer_start(loop, 1, { recorder($0).events.append("first \($1)") }, context, &timer)
    cr_loop_run(loop)
    #expect(me.events == ["first true", "second true", "late false"])
  }

  @Test func aCancelledTimerIsToldOnceAndNotInsideTheCall() {
    let me = Recorder()
    let loop = makeLoop(me)
    let context = Unmanaged.passUnretained(me).toOpaque()
    var timer: OpaquePointer?
    cr_timer_start(
      loop, 3_600_000, { recorder($0).events.append("cancelled \(!$1)") }, context, &timer)
    cr_timer_cancel(timer!)
    cr_timer_cancel(timer!)
    #expect(me.events.isEmpty)
    cr_loop_stop(loop)
    cr_loop_run(loop)
    #expect(me.events == ["cancelled true"])
  }
}
