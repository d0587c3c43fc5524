// The loop as a global actor: where code runs, in which order, and what cancellation does.

import Testing

@testable import Reactor

@Suite struct LoopTests {
  init() { Loop.runInBackground() }

  @Loop private func threadID() -> Bool { LoopExecutor.shared.isCurrent }

  @Test func isolatedFunctionsRunOnTheLoopAndOthersDoNot() async {
    #expect(await threadID())
    #expect(!LoopExecutor.shared.isCurrent)
  }

  @Test func aTaskStaysOnTheLoopAcrossSuspensions() async {
    let onLoop = await withCheckedContinuation { continuation in
      Loop.start {
        var results: [Bool] = []
        for _ in 0..<3 {
          await Loop.sleep(milliseconds: 1)
          results.append(LoopExecutor.shared.isCurrent)
        }
        continuation.resume(returning: results)
      }
    }
    #expect(onLoop == [true, true, true])
  }

  @Test func cancellingATaskEndsItsSleep() async {
    let finished = await withCheckedContinuation { continuation in
      let task = Loop.start {
        continuation.resume(returning: await Loop.sleep(milliseconds: 3_600_000))
      }
      task.cancel()
    }
    #expect(finished == false)
  }

  @Test func sleepersWakeInOrderOfTheirDelay() async {
    let order = await withCheckedContinuation { continuation in
      Loop.start {
        let order = Order()
        for delay in [60, 20, 40] as [UInt64] {
          Loop.start {
            await Loop.sleep(milliseconds: delay)
            order.values.append(delay)
            if order.values.count == 3 { continuation.resume(returning: order.values) }
          }
        }
      }
    }
    #expect(order == [20, 40, 60])
  }

  @Loop private final class Order { var values: [UInt64] = [] }
}
