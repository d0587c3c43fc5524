import Testing

@testable import Audit

@Suite struct RequestIDTests {
  @Test func isTimeShiftedByTenAndSixteenHexDigits() {
    var generator = RequestIDGenerator(after: 0)
    let id = generator.next(nowMicroseconds: exampleTime)
    #expect(id.value == (exampleTime - 1_577_836_800_000_000) << 10)
    #expect("\(id)" == "031747215D200000")
    #expect(id.description.utf8.count == 16)
    #expect(RequestID(id.description) == id)
    #expect(RequestID(id.description.lowercased()) == id)
  }

  @Test func isUniqueInOneMicrosecond() {
    var generator = RequestIDGenerator(after: 0)
    let ids = (0..<5_000).map { _ in generator.next(nowMicroseconds: exampleTime) }
    #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test(arguments: [-3_600_000_000, -Int64.max / 2, -exampleTime] as [Int64])
  func risesWhenTheClockStepsBack(step: Int64) {
    var generator = RequestIDGenerator(after: 0)
    let before = generator.next(nowMicroseconds: exampleTime)
    let after = generator.next(nowMicroseconds: exampleTime + step)
    #expect(after.value == before.value + 1)
  }

  @Test func risesWhenTheClockIsAbsurd() {
    var generator = RequestIDGenerator(after: 0)
    let first = generator.next(nowMicroseconds: .max)
    let second = generator.next(nowMicroseconds: .max)
    #expect(first.value > 0 && second > first)
    #expect(generator.next(nowMicroseconds: .min) > second)
  }

  @Test func startsAboveTheLastOne() {
    var generator = RequestIDGenerator(after: .max / 4)
    #expect(generator.next(nowMicroseconds: exampleTime).value == .max / 4 + 1)
  }

  @Test(arguments: ["", "xyz", "0x12", "-1", "+1", "11111111111111111", "FFFFFFFFFFFFFFFF", " 1"])
  func refusesWhatIsNoID(text: String) {
    #expect(RequestID(text) == nil)
  }
}
