// What callers share: values of the last seconds, and calls under way.

import Reactor
import Testing

@testable import Frontend

@Suite struct GlobusRecentValuesTests {
  @Test func valuesEndAfterTheirLifetime() {
    var values = RecentValues<String, Int>(capacity: 2, lifetime: 10)
    values.set(1, for: "a", now: 100)
    #expect(values.value(for: "a", now: 109) == 1)
    #expect(values.value(for: "a", now: 110) == nil)
    values.set(2, for: "a", now: 110)
    #expect(values.value(for: "a", now: 119) == 2)
  }

  @Test func theLeastRecentlyUsedMakesRoom() {
    var values = RecentValues<Int, Int>(capacity: 3, lifetime: 10)
    for key in 1...3 { values.set(key, for: key, now: 0) }
    _ = values.value(for: 1, now: 0)
    values.set(4, for: 4, now: 0)
    #expect(values.count == 3)
    #expect((1...4).map { values.value(for: $0, now: 0) } == [1, nil, 3, 4])
  }

  @Test func itAgreesWithAPlainModel() {
    let seed = UInt64.random(in: .min ... .max)
    var random = Steps(state: seed)
    var values = RecentValues<Int, Int>(capacity: 5, lifetime: 20)
    var model: [(key: Int, value: Int, ends: UInt64)] = []
    for now in 0..<UInt64(3000) {
      let key = Int(random.next() % 9)
      if random.next() % 2 == 0 {
        values.set(Int(now), for: key, now: now)
        model.removeAll { $0.key == key }
        if model.count == 5 { model.removeFirst() }
        model.append((key, Int(now), now + 20))
      } else {
        let at = model.firstIndex { $0.key == key && now < $0.ends }
        #expect(
          values.value(for: key, now: now) == at.map { model[$0].value }, "seed \(seed)")
        if let at { model.append(model.remove(at: at)) }
      }
    }
  }

  /// SplitMix64.
  private struct Steps {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }
}

@Suite struct GlobusSingleFlightTests {
  init() { Loop.runInBackground() }

  @Loop private final class Calls {
    var begun = 0
    var cancelled = 0
    var open = false

    func call(_ value: Int) async -> Result<Int, GlobusError> {
      begun += 1
      while !open {
        guard await Loop.sleep(milliseconds: 1) else {
          cancelled += 1
          return .failure(.cancelled)
        }
      }
      return value < 0 ? .failure(.denied) : .success(value)
    }
  }

  /// Starts a caller; its outcome is appended to `outcomes`.
  @Loop private final class Caller {
    var outcome: Result<Int, GlobusError>?
    var task: Task<Void, Never>?

    init(_ flight: SingleFlight<String, Int>, _ calls: Calls, _ key: String, _ value: Int) {
      task = Loop.start {
        do throws(GlobusError) {
          self.outcome = .success(try await flight.value(for: key) { await calls.call(value) })
        } catch {
          self.outcome = .failure(error)
        }
      }
    }

    func wait() async { await task?.value }
  }

  @Test @Loop func callersOfOneKeyShareACall() async {
    let (flight, calls) = (SingleFlight<String, Int>(), Calls())
    let callers = [1, 2, 3].map { Caller(flight, calls, "a", $0) }
    let other = Caller(flight, calls, "b", -1)
    await Loop.sleep(milliseconds: 5)
    #expect(calls.begun == 2)
    calls.open = true
    for caller in callers + [other] { await caller.wait() }
    #expect(callers.allSatisfy { $0.outcome == .success(1) })
    #expect(other.outcome == .failure(.denied))
    let later = Caller(flight, calls, "a", 4)
    await later.wait()
    #expect(later.outcome == .success(4))
  }

  @Test @Loop func theCallOutlivesWhoBeganIt() async {
    let (flight, calls) = (SingleFlight<String, Int>(), Calls())
    let first = Caller(flight, calls, "a", 1)
    let second = Caller(flight, calls, "a", 2)
    await Loop.sleep(milliseconds: 5)
    first.task?.cancel()
    await first.wait()
    #expect(first.outcome == .failure(.cancelled))
    calls.open = true
    await second.wait()
    #expect(second.outcome == .success(1))
    #expect(calls.cancelled == 0)
  }

  @Test @Loop func aCallThatNobodyWaitsForIsCancelled() async {
    let (flight, calls) = (SingleFlight<String, Int>(), Calls())
    let caller = Caller(flight, calls, "a", 1)
    await Loop.sleep(milliseconds: 5)
    caller.task?.cancel()
    await caller.wait()
    while calls.cancelled == 0 { await Loop.sleep(milliseconds: 1) }
    calls.open = true
    let next = Caller(flight, calls, "a", 2)
    await next.wait()
    #expect(next.outcome == .success(2))
  }
}
