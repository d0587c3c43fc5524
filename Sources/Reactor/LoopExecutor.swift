// LoopExecutor: the C loop as a Swift executor, for the actor `Loop` and for tasks.
//
// It is both a serial and a task executor: a task that prefers it is resumed on the loop's thread
// directly; without the preference every `await` would take a detour over the runtime's pool.
// `ready` belongs to the loop's thread; jobs from other threads come through the C inbox.
// The executor lives for ever, as does its loop: C is given it unretained.

internal import CReactor

final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
  static let shared = LoopExecutor()

  // Never reassigned after init; the loop itself is thread-safe where it is used off its thread.
  private(set) var loop: OpaquePointer
  private var ready: [UnownedJob] = []
  private var running: [UnownedJob] = []

  private init() {
    var loop: OpaquePointer?
    var callbacks = cr_loop_callbacks()
    callbacks.on_item = loopExecutorOnItem
    callbacks.on_turn = loopExecutorOnTurn
    guard cr_loop_new(callbacks, &loop) == 0, let loop else {
      fatalError("no event loop could be made: out of descriptors or memory")
    }
    self.loop = loop
  }

  var isCurrent: Bool { cr_loop_is_current(loop) }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      ready.append(job)
    } else if cr_loop_post(loop, unsafeBitCast(job, to: UnsafeMutableRawPointer.self)) != 0 {
      fatalError("out of memory")
    }
  }

  fileprivate func append(_ job: UnownedJob) { ready.append(job) }

  /// Runs what is ready now; what that makes ready waits for the next turn, after a poll, so that
  /// a chatty task can't starve the sockets. Returns whether something is left.
  fileprivate func turn() -> Bool {
    guard !ready.isEmpty else { return false }
    swap(&ready, &running)
    for job in running {
      job.runSynchronously(
        isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
    running.removeAll(keepingCapacity: true)
    return !ready.isEmpty
  }

  func checkIsolated() { precondition(isCurrent, "not on the loop's thread") }
  func isIsolatingCurrentContext() -> Bool? { isCurrent }
}

private func loopExecutorOnItem(_: UnsafeMutableRawPointer?, _ item: UnsafeMutableRawPointer) {
  LoopExecutor.shared.append(unsafeBitCast(item, to: UnownedJob.self))
}

private func loopExecutorOnTurn(_: UnsafeMutableRawPointer?) -> Bool {
  LoopExecutor.shared.turn()
}
