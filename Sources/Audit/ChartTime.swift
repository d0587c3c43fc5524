// ChartTime: the axis of time: buckets that are whole hours, days or weeks (from Monday), and where
// its lines stand. All in UTC; times are microseconds since 1970.

import Foundation

private let hour = Rollup.hourMicroseconds
private let day = 24 * hour
/// 1970 began on a Thursday.
private let firstMonday = 4 * day

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
  let quotient = value / divisor
  return value % divisor < 0 ? quotient - 1 : quotient
}

/// Equal parts of a span of time, at most `Limits.chartBuckets`.
struct ChartBuckets: Equatable {
  let start: Int64
  let width: Int64
  let count: Int

  init(from: Int64, to: Int64) {
    var widths = [hour, 6 * hour, day, 7 * day][...]
    var width = hour
    while true {
      width = widths.popFirst() ?? width * 2
      let offset = width % (7 * day) == 0 ? firstMonday : 0
      let start = floorDivide(from - offset, width) * width + offset
      let count = max(1, floorDivide(to - 1 - start, width) + 1)
      guard count > Limits.chartBuckets else {
        (self.start, self.width, self.count) = (start, width, Int(count))
        return
      }
    }
  }

  var end: Int64 { start + Int64(count) * width }

  /// How long each is, in words.
  var name: String {
    switch width {
    case hour: "hour"
    case 6 * hour: "6 hours"
    case day: "day"
    case 7 * day: "week"
    default: "\(width / (7 * day)) weeks"
    }
  }

  /// When one begins.
  func label(_ index: Int) -> String {
    let time = start + Int64(index) * width
    return width < day ? ChartTime.minute(time) : ChartTime.date(time)
  }

  /// Where a time is on the axis, 0 to 1.
  func position(_ time: Int64) -> Double { Double(time - start) / Double(end - start) }
}

enum ChartTime {
  struct Tick: Equatable {
    let time: Int64
    let label: String
  }

  private static let calendar: Calendar = {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0)!
    return calendar
  }()

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]

  private static func parts(_ time: Int64) -> (year: Int, month: Int, day: Int, minute: Int) {
    let seconds = floorDivide(time, 1_000_000)
    let date = Date(timeIntervalSince1970: Double(seconds))
    let parts = calendar.dateComponents([.year, .month, .day], from: date)
    let minute = Int(floorDivide(seconds, 60) - floorDivide(seconds, 86_400) * 1_440)
    return (parts.year ?? 1970, parts.month ?? 1, parts.day ?? 1, minute)
  }

  /// `2026-11-22`
  static func date(_ time: Int64) -> String {
    let parts = parts(time)
    return String(format: "%04d-%02d-%02d", parts.year, parts.month, parts.day)
  }

  /// `2026-11-22 10:00`
  static func minute(_ time: Int64) -> String {
    date(time) + String(format: " %02d:%02d", parts(time).minute / 60, parts(time).minute % 60)
  }

  /// `22 November 2026, 10:00`
  static func words(_ time: Int64) -> String {
    let parts = parts(time)
    return "\(parts.day) \(months[parts.month - 1]) \(parts.year), "
      + String(format: "%02d:%02d", parts.minute / 60, parts.minute % 60)
  }

  /// Round times from `from` to `to`, at most `most`.
  static func ticks(from: Int64, to: Int64, most: Int) -> [Tick] {
    for hours in [1, 2, 3, 6, 12, 24, 48, 168, 336] as [Int64] {
      let step = hours * hour
      let offset = hours >= 168 ? firstMonday : 0
      let first = -floorDivide(offset - from, step) * step + offset
      guard first <= to else { continue }
      let count = (to - first) / step + 1
      if count <= Int64(most) {
        return (0..<count).map {
          Tick(time: first + $0 * step, label: label(first + $0 * step, step))
        }
      }
    }
    var step = 1
    while true {
      let ticks = months(from: from, to: to, every: step, most: most)
      if let ticks { return ticks }
      step = [1: 3, 3: 6, 6: 12][step] ?? step * 2
    }
  }

  private static func label(_ time: Int64, _ step: Int64) -> String {
    let parts = parts(time)
    guard step >= day || parts.minute == 0 else {
      return String(format: "%02d:%02d", parts.minute / 60, parts.minute % 60)
    }
    return "\(parts.day) \(months[parts.month - 1].prefix(3))"
  }

  /// First days of months; nil: they are more than `most`.
  private static func months(from: Int64, to: Int64, every step: Int, most: Int) -> [Tick]? {
    let parts = parts(from)
    var month = (parts.year * 12 + parts.month - 1) / step * step
    var ticks: [Tick] = []
    while true {
      let components = DateComponents(year: month / 12, month: month % 12 + 1, day: 1)
      guard let date = calendar.date(from: components) else { return ticks }
      let time = Int64(date.timeIntervalSince1970) * 1_000_000
      if time > to { return ticks }
      if time >= from {
        let isYear = month % 12 == 0
        let label = isYear ? "\(month / 12)" : String(months[month % 12].prefix(3))
        ticks.append(Tick(time: time, label: label))
      }
      if ticks.count > most { return nil }
      month += step
    }
  }
}
