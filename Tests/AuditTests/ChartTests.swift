import Testing

@testable import Audit

@Suite struct ChartTests {
  private let hour = Rollup.hourMicroseconds

  @Test(
    arguments: [
      (0, "0 B"), (1, "1 B"), (1_023, "1023 B"), (1_024, "1 KiB"), (1_536, "1.5 KiB"),
      (1_048_575, "1 MiB"), (10_500_000, "10 MiB"), (123_456_789, "118 MiB"),
      (5 << 40, "5 TiB"), (Int64.max, "8 EiB"),
    ] as [(Int64, String)])
  func bytes(value: Int64, text: String) {
    #expect(Figure.bytes(value) == text)
  }

  @Test func countsDurationsAndShares() {
    #expect(
      [0, 999, 1_000, 1_234_567, -1_000].map { Figure.count($0) }
        == ["0", "999", "1,000", "1,234,567", "-1,000"])
    let durations: [Int64] = [
      1, 250, 12_345, 999_400, 999_600, 60_000_000, 600_000_000, 9_000_000_000,
    ]
    #expect(
      durations.map { Figure.duration(microseconds: $0) }
        == ["0 ms", "0.25 ms", "12.3 ms", "999 ms", "1 s", "60 s", "10 min", "2.5 h"])
    #expect(Figure.share(1, of: 3) == "33.3 %" && Figure.share(0, of: 0) == "0 %")
    #expect(Figure.share(1, of: 1_000_000) == "under 0.1 %")
  }

  @Test(
    arguments: [
      (ChartUnit.count, 0, [0, 1]), (.count, 1, [0, 1]), (.count, 4, [0, 1, 2, 3, 4]),
      (.count, 7, [0, 2, 4, 6, 8]), (.count, 35, [0, 10, 20, 30, 40]),
      (.count, 51, [0, 20, 40, 60]), (.count, 4_000, [0, 1_000, 2_000, 3_000, 4_000]),
      (.bytes, 700, [0, 256, 512, 768]), (.bytes, 1_024, [0, 256, 512, 768, 1_024]),
      (.bytes, 3 << 30, [0, 1 << 30, 2 << 30, 3 << 30]),
    ] as [(ChartUnit, Int64, [Int64])])
  func axesHaveRoundValues(unit: ChartUnit, most: Int64, ticks: [Int64]) {
    #expect(unit.ticks(upTo: most) == ticks)
  }

  @Test func axesEndAboveEverything() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(state: seed)
    for _ in 0..<1_000 {
      let most =
        Int64.random(in: 1...(Int64.max >> 6), using: &random)
        >> Int64.random(in: 0..<56, using: &random)
      for unit in [ChartUnit.count, .bytes] {
        let ticks = unit.ticks(upTo: most)
        #expect(2...6 ~= ticks.count && ticks.last! >= most, "\(unit) \(most), seed \(seed)")
      }
    }
    #expect(ChartUnit.count.ticks(upTo: .max).count <= 6)
    #expect(ChartUnit.bytes.ticks(upTo: .max).count <= 6)
  }

  @Test(
    arguments: [
      (1, "hour", 1), (24, "hour", 24), (240, "hour", 240), (241, "6 hours", 41),
      (24 * 61, "day", 62), (24 * 365, "week", 53), (24 * 365 * 6, "2 weeks", 158),
      (24 * 365 * 60, "16 weeks", 197),
    ] as [(Int64, String, Int)])
  func bucketsGrowWithTheSpan(hours: Int64, name: String, count: Int) {
    let buckets = ChartBuckets(from: exampleTime, to: exampleTime + hours * hour)
    #expect(buckets.name == name && buckets.count <= Limits.chartBuckets)
    #expect(buckets.start <= exampleTime && buckets.end >= exampleTime + hours * hour)
    #expect(abs(buckets.count - count) <= 1)
  }

  @Test func bucketsBeginWhereTheirNamesDo() {
    let week = ChartBuckets(from: exampleTime, to: exampleTime + 24 * 300 * hour)
    #expect(week.label(0) == "2026-11-16")  // a Monday
    let quarter = ChartBuckets(from: exampleTime, to: exampleTime + 24 * 30 * hour)
    #expect(quarter.label(0) == "2026-11-22 06:00" && quarter.label(1) == "2026-11-22 12:00")
    #expect(quarter.position(quarter.start) == 0 && quarter.position(quarter.end) == 1)
  }

  @Test(
    arguments: [
      (3, ["10:00", "11:00", "12:00", "13:00"]),
      (12, ["10:00", "12:00", "14:00", "16:00", "18:00", "20:00", "22:00"]),
      (24, ["12:00", "18:00", "23 Nov", "06:00"]),
      (24 * 5, ["23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov"]),
      (24 * 40, ["23 Nov", "30 Nov", "7 Dec", "14 Dec", "21 Dec", "28 Dec"]),
      (24 * 150, ["Dec", "2027", "Feb", "Mar", "Apr"]),
      (24 * 365 * 3, ["2027", "Jul", "2028", "Jul", "2029", "Jul"]),
      (24 * 365 * 12, ["2028", "2030", "2032", "2034", "2036", "2038"]),
    ] as [(Int64, [String])])
  func timesOnTheAxisAreRound(hours: Int64, labels: [String]) {
    let ticks = ChartTime.ticks(from: exampleTime, to: exampleTime + hours * hour, most: 7)
    #expect(ticks.map(\.label) == labels)
    #expect(ticks.allSatisfy { $0.time >= exampleTime })
  }

  @Test func timesInWords() {
    #expect(ChartTime.words(exampleTime) == "22 November 2026, 10:00")
    #expect(ChartTime.minute(exampleTime + 90_000_000) == "2026-11-22 10:01")
    #expect(ChartTime.date(0) == "1970-01-01")
  }

  @Test func longNamesKeepTheirEnds() {
    let name = String(repeating: "a", count: 100) + "/end.txt"
    let short = NameChart.shortened(name)
    #expect(short.count == Limits.chartNameCharacters && short.hasSuffix("/end.txt"))
    #expect(NameChart.shortened(exampleCollection) == exampleCollection)
    let wide = NameChart.shortened(String(repeating: "数", count: 40))
    #expect(wide.count == 18 && TextWidth.columns(wide) <= Limits.chartNameCharacters)
    #expect(NameChart.shortened("a\u{1B}b") == #"a\u{1B}b"#)
  }

  @Test(arguments: [
    ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("数据", 4), ("한국", 4), ("ｆ", 2), ("🧬x", 3),
    ("❤️", 2), ("→…", 2),
  ])
  func widthOfText(text: String, columns: Int) {
    #expect(TextWidth.columns(text) == columns)
    #expect(TextWidth.prefix(text, columns: columns) == text)
    #expect(TextWidth.suffix(text, columns: columns) == text)
    #expect(TextWidth.columns(TextWidth.prefix(text + text, columns: columns + 1)) <= columns + 1)
  }

  @Test func tablesOfWideTextFit() throws {
    var text = ""
    var output = QueryOutput(.table, width: 40, isTerminal: true) { text += $0 }
    try output.begin(columns: ["key", "数"])
    try output.row([.text(String(repeating: "数据🧬", count: 20)), .text("한국어한국어한국어한국어")])
    try output.end()
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2 && lines.allSatisfy { TextWidth.columns($0) <= 40 })
    #expect(lines[1].contains("数据🧬") && lines[1].contains("… "))
  }

  /// Percentiles against the obvious way, with random durations.
  @Test func percentilesAreWithinTwoPercent() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(state: seed)
    for _ in 0..<100 {
      var histogram = DurationHistogram()
      var all: [Int64] = []
      for _ in 0..<Int.random(in: 1..<400, using: &random) {
        let value =
          Int64.random(in: 0...Int64.max, using: &random)
          >> Int64.random(in: 0..<62, using: &random)
        histogram.add(value)
        all.append(value)
      }
      all.sort()
      for part in [0.5, 0.9, 0.99, 1] {
        let exact = Double(all[max(1, Int((part * Double(all.count)).rounded(.up))) - 1])
        let told = Double(histogram.percentile(part))
        #expect(abs(told - exact) <= 0.02 * exact, "\(told) for \(exact), seed \(seed)")
      }
    }
  }
}
