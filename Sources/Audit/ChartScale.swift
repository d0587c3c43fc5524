// ChartScale: numbers as people read them, and the round values at which an axis has its lines.

import Foundation

/// What an axis counts.
enum ChartUnit {
  case count
  /// In units of 1,024.
  case bytes

  /// Round values from 0 to the first that is not below `most`; at least two.
  func ticks(upTo most: Int64) -> [Int64] {
    let most = min(max(most, 1), Int64.max / 16)
    var step: Int64 = 1
    switch self {
    case .bytes:
      while step < most, most / step > Self.mostSteps { step *= 2 }
    case .count:
      var factors = [2, 5, 10][...]
      var decade: Int64 = 1
      while step < most, most / step > Self.mostSteps, let factor = factors.popFirst() {
        step = decade * Int64(factor)
        if factors.isEmpty { (decade, factors) = (step, [2, 5, 10]) }
      }
    }
    return (0...((most - 1) / step + 1)).map { $0 * step }
  }

  private static let mostSteps: Int64 = 4

  func label(_ value: Int64) -> String {
    switch self {
    case .count: Figure.count(value)
    case .bytes: Figure.bytes(value)
    }
  }
}

enum Figure {
  /// `12,345`
  static func count(_ value: Int64) -> String {
    var text = ""
    for (place, digit) in "\(value.magnitude)".reversed().enumerated() {
      if place > 0, place % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "-" : "") + String(text.reversed())
  }

  /// `1.5 GiB`, with three digits.
  static func bytes(_ value: Int64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var (amount, unit) = (Double(value), 0)
    // What would be rounded to 1,024 is one of the next unit.
    while amount >= 1_023.5, unit < units.count - 1 {
      amount /= 1_024
      unit += 1
    }
    return "\(significant(amount)) \(units[unit])"
  }

  /// `12.3 ms`, with three digits.
  static func duration(microseconds: Int64) -> String {
    let seconds = Double(microseconds) / 1_000_000
    if seconds < 0.9995 { return "\(significant(seconds * 1_000)) ms" }
    if seconds < 119.5 { return "\(significant(seconds)) s" }
    if seconds < 7_170 { return "\(significant(seconds / 60)) min" }
    return "\(significant(seconds / 3_600)) h"
  }

  /// `4.2 %`; a part that is not nothing is never shown as nothing.
  static func share(_ part: Int64, of whole: Int64) -> String {
    guard whole > 0, part > 0 else { return "0 %" }
    let percent = Double(part) * 100 / Double(whole)
    return percent < 0.1 ? "under 0.1 %" : "\(significant(percent)) %"
  }

  /// Three digits, without zeros at the end of a fraction.
  private static func significant(_ value: Double) -> String {
    let places = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
    let text = String(format: "%.\(places)f", value)
    guard places > 0 else { return text }
    let trimmed = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
    return String(trimmed.reversed())
  }
}
