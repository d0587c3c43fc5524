import Testing

@testable import Audit

@Suite struct SyncScheduleTests {
  @Test func shortRequestsNeedNoSync() {
    var schedule = SyncSchedule()
    for begun in UInt64(1)...100 {
      schedule.committed(begun)
      let isDue = schedule.isDue(begun: begun)
      #expect(!isDue)
    }
    #expect(schedule.synced >= 97)
  }

  @Test func anIdleSpoolNeedsNoSync() {
    var schedule = SyncSchedule()
    let due = (0..<100).map { _ in schedule.isDue(begun: 0) }
    #expect(!due.contains(true))
  }

  @Test func aLongRequestIsSyncedAtTheFourthPollAndOnlyOnce() {
    var schedule = SyncSchedule()
    // Record 3 stays open, all others are committed at once.
    var due: [UInt64] = []
    for begun in UInt64(1)...40 {
      if begun != 3 { schedule.committed(begun) }
      if schedule.isDue(begun: begun) {
        due.append(begun)
        schedule.didSync(begun: begun)
      }
    }
    #expect(due == [5])
    schedule.committed(3)
    let isDue = schedule.isDue(begun: 40)
    #expect(!isDue)
  }

  @Test func staysDueUntilSynced() {
    var schedule = SyncSchedule()
    let due = (0..<5).map { _ in schedule.isDue(begun: 1) }
    #expect(due == [false, false, true, true, true])
    schedule.didSync(begun: 2)
    #expect(schedule.synced == 2)
    let isStillDue = schedule.isDue(begun: 2)
    #expect(!isStillDue)
  }
}
