// Admission: who gets a place, in which order, and that no place is lost.

import Reactor
import Testing

@testable import Frontend

@Suite struct AdmissionTests {
  init() { Loop.runInBackground() }

  /// Requests of one credential that note when they have their place.
  @Loop private final class Crowd {
    let admission: Admission
    var served: [Int] = []
    var refused: [Int] = []
    var tasks: [Task<Void, Never>] = []
    var places: [Admission.Line] = []

    init(_ admission: Admission) { self.admission = admission }

    func ask(_ number: Int, _ credential: String = "one") {
      tasks.append(
        Loop.start { [self] in
          do throws(S3Error) {
            places.append(try await admission.enter(credential))
            served.append(number)
          } catch {
            refused.append(number)
            if !Task.isCancelled { #expect(error.code == .slowDown && !error.headers.isEmpty) }
          }
        })
    }

    /// Waits until so many have had an outcome.
    func settled(_ count: Int) async -> Bool {
      for _ in 0..<2000 {
        if served.count + refused.count >= count { return true }
        await Loop.sleep(milliseconds: 5)
      }
      return false
    }

    func leaveOne() { places.removeFirst().leave() }
  }

  @Test @Loop func placesGoInOrder() async {
    let crowd = Crowd(Admission(inFlight: 100, perCredential: 2, waitMilliseconds: 600_000))
    for number in 0..<2 { crowd.ask(number) }
    #expect(await crowd.settled(2))
    for number in 2..<10 {
      crowd.ask(number)
      while crowd.admission.waited < number - 1 { await Loop.sleep(milliseconds: 1) }
    }
    #expect(crowd.served == [0, 1])
    for number in 2..<10 {
      crowd.leaveOne()
      #expect(await crowd.settled(number + 1))
    }
    #expect(crowd.served == Array(0..<10) && crowd.refused.isEmpty)
  }

  @Test @Loop func othersPassBy() async {
    let crowd = Crowd(
      Admission(inFlight: 100, perCredential: 1, waitMilliseconds: 600_000))
    crowd.ask(0)
    crowd.ask(1)
    crowd.ask(2, "another")
    #expect(await crowd.settled(2))
    #expect(Set(crowd.served) == [0, 2])
    for place in crowd.places { place.leave() }
    #expect(await crowd.settled(3))
  }

  @Test @Loop func waitingHasAnEnd() async {
    let crowd = Crowd(Admission(inFlight: 100, perCredential: 1, waitMilliseconds: 30))
    for number in 0..<5 { crowd.ask(number) }
    #expect(await crowd.settled(5))
    #expect(crowd.served.count == 1 && crowd.refused.count == 4)
    #expect(crowd.admission.refused == 4)
    crowd.leaveOne()
    crowd.ask(5)
    #expect(await crowd.settled(6))
    #expect(crowd.served.last == 5)
  }

  @Test @Loop func anotherNumberHoldsForWhoWaits() async {
    let crowd = Crowd(Admission(inFlight: 100, perCredential: 1, waitMilliseconds: 600_000))
    for number in 0..<8 {
      crowd.ask(number)
      while crowd.admission.waited < number { await Loop.sleep(milliseconds: 1) }
    }
    #expect(await crowd.settled(1))
    var configuration = Configuration(
      baseURL: BaseURL("http://localhost")!, clientID: "", clientSecret: "")
    configuration.maxRequestsPerCredential = 4
    crowd.admission.limit(as: configuration)
    #expect(await crowd.settled(4))
    configuration.maxRequestsPerCredential = 2
    crowd.admission.limit(as: configuration)
    for _ in 0..<2 { crowd.leaveOne() }
    #expect(crowd.served == [0, 1, 2, 3] && crowd.admission.place(for: "one") == nil)
    crowd.leaveOne()
    #expect(await crowd.settled(5))
    for _ in 0..<2 { crowd.leaveOne() }
    #expect(await crowd.settled(7))
    crowd.leaveOne()
    #expect(await crowd.settled(8))
    #expect(crowd.served == Array(0..<8))
  }

  @Test @Loop func noMoreWaitThanMay() async {
    let crowd = Crowd(
      Admission(inFlight: 10_000, perCredential: 1, waitMilliseconds: 600_000))
    let most = 1 + Limits.waitingPerCredential
    for number in 0..<most + 3 { crowd.ask(number) }
    #expect(await crowd.settled(4))
    #expect(crowd.served.count == 1 && crowd.refused.count == 3)
    while crowd.served.count < most {
      crowd.leaveOne()
      #expect(await crowd.settled(crowd.served.count + crowd.refused.count + 1))
    }
  }

  @Test @Loop func moreThanTheServiceBearsIsRefused() {
    let admission = Admission(inFlight: 3, perCredential: 1)
    #expect(throws: Never.self) { try admission.requireRoom(for: 3) }
    let error = #expect(throws: S3Error.self) { try admission.requireRoom(for: 4) }
    #expect(error?.code == .slowDown && admission.refused == 1)
  }

  /// Requests come, go and give up while they wait; afterwards every place is free.
  @Test @Loop func noPlaceIsLost() async {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var state = seed
    func draw(_ n: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % n
    }
    let places = 3
    let crowd = Crowd(Admission(inFlight: 10_000, perCredential: places, waitMilliseconds: 20))
    for number in 0..<1000 {
      crowd.ask(number)
      if draw(3) == 0 { crowd.tasks[draw(crowd.tasks.count)].cancel() }
      if draw(2) == 0, !crowd.places.isEmpty { crowd.leaveOne() }
      if draw(50) == 0 { await Loop.sleep(milliseconds: UInt64(draw(25))) }
      #expect(crowd.places.count <= places)
    }
    while crowd.served.count + crowd.refused.count < 1000 {
      if !crowd.places.isEmpty { crowd.leaveOne() }
      await Loop.sleep(milliseconds: 1)
    }
    while !crowd.places.isEmpty { crowd.leaveOne() }
    for number in 0..<places + 1 { crowd.ask(1000 + number) }
    #expect(await crowd.settled(1000 + places))
    #expect(crowd.places.count == places)
  }

  @Test @Loop func credentialsWithoutRequestsAreForgotten() async throws {
    let admission = Admission(inFlight: 10_000, perCredential: 1, waitMilliseconds: 600_000)
    let kept = try await admission.enter("kept")
    for number in 0..<3 * Limits.admissionLines {
      try await admission.enter("\(number)").leave()
      #expect(admission.remembered <= Limits.admissionLines)
    }
    let waiting = Loop.start { _ = try? await admission.enter("kept") }
    while admission.waited == 0 { await Loop.sleep(milliseconds: 1) }
    kept.leave()
    await waiting.value
  }
}
