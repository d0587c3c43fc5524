// Loop: the process's event loop as a global actor.
//
// Everything marked `@Loop` runs on one thread. This is the only file that starts tasks: a task
// started elsewhere would not prefer the loop's executor and would leave its thread at an `await`.

internal import CReactor
internal import Glibc

/// The event loop: one thread for all sockets and all request logic.
///
/// What is marked `@Loop` runs there, a piece at a time, so that it shares state without locks and
/// must never block. `run` starts it, from `main`:
///
///     exit(Loop.run {
///       // servers and clients are made here
///       return 0
///     })
///
/// Tasks are started with `Loop.start`: one started otherwise leaves the loop's thread when it awaits.
@globalActor public actor Loop {
  public static let shared = Loop()

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    LoopExecutor.shared.asUnownedSerialExecutor()
  }

  /// Gives the calling thread to the loop until `main` returns; then everything that is open is
  /// closed, with what is in flight, and `main`'s value is returned. Tasks that have not ended by then
  /// never go on: wait for them in `main`. Once per process.
  public nonisolated static func run(
    _ main: @escaping @Loop @Sendable () async -> Int32
  ) -> Int32 {
    let outcome = Outcome()
    cr_keep_freed_memory()
    start {
      outcome.value = await main()
      cr_loop_stop(LoopExecutor.shared.loop)
    }
    cr_loop_run(LoopExecutor.shared.loop)
    return outcome.value
  }

  /// Runs the loop on a thread of its own for the rest of the process: for programs, such as tests,
  /// whose main thread belongs to somebody else. Further calls do nothing.
  public nonisolated static func runInBackground() { _ = background }

  private nonisolated static let background: Void = {
    var thread = pthread_t()
    let failed = pthread_create(
      &thread, nil,
      { _ in
        cr_loop_run(LoopExecutor.shared.loop)
        return nil
      }, nil)
    precondition(failed == 0, "no thread for the loop")
  }()

  /// Starts a task on the loop: `body` begins in a later turn, and goes on there after every await.
  /// The task is cancelled by its owner only. From any thread.
  @discardableResult
  public nonisolated static func start(
    _ body: @escaping @Loop @Sendable () async -> Void
  ) -> Task<Void, Never> {
    Task(executorPreference: LoopExecutor.shared, operation: body)
  }

  /// Runs `body` on the loop: before this returns when the caller is on it, else soon. From any
  /// thread.
  public nonisolated static func perform(_ body: @escaping @Loop @Sendable () -> Void) {
    if LoopExecutor.shared.isCurrent {
      assumeIsolated(body)
    } else {
      start { body() }
    }
  }

  /// Enters the loop's isolation from a callback that is known to be on its thread; traps if not.
  public nonisolated static func assumeIsolated<T>(_ body: @Loop () throws -> T) rethrows -> T {
    precondition(LoopExecutor.shared.isCurrent, "not on the loop's thread")
    return try withoutActuallyEscaping(body) { body in
      try unsafeBitCast(body, to: (() throws -> T).self)()
    }
  }

  /// Suspends for at least `milliseconds`, by the monotonic clock. Returns early, and says so with
  /// `false`, when the task is cancelled.
  @Loop @discardableResult
  public static func sleep(milliseconds: UInt64) async -> Bool {
    let sleeper = Sleeper()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { sleeper.start(milliseconds, $0) }
    } onCancel: {
      perform { sleeper.cancel() }
    }
  }

  /// Calls `body` on the loop for each delivery of the signal, until the loop ends. The signal then
  /// does nothing else: SIGTERM no longer ends the process.
  @Loop public static func onSignal(_ number: Int32, _ body: @escaping @Loop () -> Void) {
    // Lives as long as the loop, that is as the process.
    let handler = Unmanaged.passRetained(SignalHandler(body))
    let failed = cr_signal_start(
      LoopExecutor.shared.loop, number, signalDelivered, handler.toOpaque())
    if failed != 0 { handler.release() }
  }

  /// Monotonic clock, microseconds since an arbitrary time. From any thread, as the others.
  public nonisolated static var clockMicroseconds: UInt64 { cr_clock_us() }
  /// Wall clock, microseconds since 1970, UTC.
  public nonisolated static var wallClockMicroseconds: Int64 { cr_wall_clock_us() }
  /// The C libraries in use with their versions, for `--version`.
  public nonisolated static var libraryVersions: String { String(cString: cr_library_versions()) }

  /// The commit that the program was built from, "" when the build did not say.
  public nonisolated static var buildCommit: String { String(cString: cr_build_commit()) }
  /// What the process has used of processors, and uses of memory.
  public nonisolated static var processUsage: (cpuMicroseconds: UInt64, residentBytes: UInt64) {
    let usage = cr_process_usage_now()
    return (usage.cpu_us, usage.resident_bytes)
  }

  // Written on the loop, read after it has ended.
  private final class Outcome: @unchecked Sendable { var value: Int32 = 0 }
}

@Loop private final class Sleeper {
  private var timer: OpaquePointer?
  private var continuation: CheckedContinuation<Bool, Never>?
  private var cancelled = false

  func start(_ milliseconds: UInt64, _ continuation: CheckedContinuation<Bool, Never>) {
    guard !cancelled else { return continuation.resume(returning: false) }
    let context = Unmanaged.passRetained(self)
    let failed = cr_timer_start(
      LoopExecutor.shared.loop, milliseconds, timerFired, context.toOpaque(), &timer)
    guard failed == 0 else {
      context.release()
      return continuation.resume(returning: false)
    }
    self.continuation = continuation
  }

  func cancel() {
    cancelled = true
    if let timer { cr_timer_cancel(timer) }
  }

  func fired(_ fired: Bool) {
    timer = nil
    continuation?.resume(returning: fired)
    continuation = nil
  }
}

private func timerFired(_ context: UnsafeMutableRawPointer?, _ fired: Bool) {
  let sleeper = Unmanaged<Sleeper>.fromOpaque(context!).takeRetainedValue()
  Loop.assumeIsolated { sleeper.fired(fired) }
}

@Loop private final class SignalHandler {
  let body: @Loop () -> Void
  init(_ body: @escaping @Loop () -> Void) { self.body = body }
}

private func signalDelivered(_ context: UnsafeMutableRawPointer?, _: Int32) {
  let handler = Unmanaged<SignalHandler>.fromOpaque(context!).takeUnretainedValue()
  Loop.assumeIsolated { handler.body() }
}
