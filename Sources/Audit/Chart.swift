// Chart: pictures of the record as SVG: bars over time, bars by name, percentiles by name.
//
// Widths are in percent of the place that the page gives and text in pixels, so one picture is
// legible on a phone, a desktop and paper. Colours are classes of the page's style sheet. Each has
// a title and a description in words; the page puts the figures in a table below it.

import Foundation

/// What every picture has.
struct ChartFrame {
  /// Unique in the page.
  let id: String
  let title: String
  let description: String

  fileprivate func svg(_ style: Markup, height: Int, _ content: Markup) -> Markup {
    """
    <svg class="\(style)" role="img" aria-labelledby="\(id)-title \(id)-text" width="100%" \
    height="\(height)">
    <title id="\(id)-title">\(title)</title><desc id="\(id)-text">\(description)</desc>
    \(content)</svg>

    """
  }
}

private func percent(_ part: Double) -> String { String(format: "%.3f%%", part * 100) }

private func pixels(_ length: Double) -> String { String(format: "%.1f", length) }

/// Bars over time, one series on the other.
struct TimeChart {
  struct Series {
    let name: String
    /// A class of the style sheet.
    let style: String
    let values: [Int64]
  }

  let frame: ChartFrame
  let buckets: ChartBuckets
  let unit: ChartUnit
  /// From the bottom up.
  let series: [Series]

  private static let top = 10.0
  private static let height = 170.0
  private static let mostTicks = 7
  /// A value that is not nothing is seen.
  private static let leastHeight = 2.0

  var markup: Markup {
    let totals = (0..<buckets.count).map { index in series.reduce(0) { $0 + $1.values[index] } }
    let ticks = unit.ticks(upTo: totals.max() ?? 0)
    let most = Double(ticks.last ?? 1)
    let lines = ticks.map { line(Double($0) / most, unit.label($0)) }.joined()
    let bars = totals.indices.filter { totals[$0] > 0 }.map { bar($0, totals[$0], most) }.joined()
    let bottom = Int(Self.top + Self.height)
    return frame.svg("time", height: bottom + 26, lines + bars + times(bottom))
  }

  private func line(_ part: Double, _ label: String) -> Markup {
    let y = pixels(Self.top + Self.height * (1 - part))
    let style: Markup = part == 0 ? "base" : "grid"
    return """
      <line class="\(style)" x1="0" x2="100%" y1="\(y)" y2="\(y)"/>\
      <text class="y" x="-8" y="\(y)" dy="4">\(label)</text>

      """
  }

  private func bar(_ index: Int, _ total: Int64, _ most: Double) -> Markup {
    let width = 1 / Double(buckets.count)
    let x = percent((Double(index) + 0.1) * width)
    var bottom = Self.top + Self.height
    let parts = series.filter { $0.values[index] > 0 }.map { series -> Markup in
      let height = max(Self.leastHeight, Double(series.values[index]) / most * Self.height)
      bottom -= height
      return """
        <rect class="\(series.style)" x="\(x)" y="\(pixels(bottom))" \
        width="\(percent(0.8 * width))" height="\(pixels(height))"/>
        """
    }
    let words = series.map { "\(unit.label($0.values[index])) \($0.name)" }
    return """
      <g><title>\(buckets.label(index)): \(words.joined(separator: ", "))</title>\
      \(parts.joined())</g>

      """
  }

  private func times(_ bottom: Int) -> Markup {
    let ticks = ChartTime.ticks(from: buckets.start, to: buckets.end, most: Self.mostTicks)
    return ticks.enumerated().map { number, tick -> Markup in
      let part = buckets.position(tick.time)
      let anchor: Markup = part < 0.04 ? "start" : part > 0.96 ? "end" : "middle"
      let style: Markup = number % 2 == 1 ? "x minor" : "x"
      return """
        <line class="base" x1="\(percent(part))" x2="\(percent(part))" y1="\(bottom)" \
        y2="\(bottom + 5)"/><text class="\(style)" x="\(percent(part))" y="\(bottom + 20)" \
        text-anchor="\(anchor)">\(tick.label)</text>

        """
    }.joined()
  }
}

/// A bar for each name.
struct NameChart {
  struct Bar {
    let name: String
    let value: Int64
  }

  let frame: ChartFrame
  let unit: ChartUnit
  let style: String
  let bars: [Bar]

  static let rowHeight = 38

  var markup: Markup {
    let most = Double(max(1, bars.map(\.value).max() ?? 1))
    let rows = bars.enumerated().map { index, bar -> Markup in
      let y = index * Self.rowHeight
      let width = bar.value > 0 ? max(0.004, Double(bar.value) / most) : 0
      return """
        <g><title>\(bar.name)</title><text class="name" x="0" y="\(y + 14)">\
        \(Self.shortened(bar.name))</text>\
        <text class="value" x="100%" y="\(y + 14)">\(unit.label(bar.value))</text>\
        <rect class="track" x="0" y="\(y + 20)" width="100%" height="9" rx="2"/>\
        <rect class="\(style)" x="0" y="\(y + 20)" width="\(percent(width))" height="9" rx="2"/></g>

        """
    }
    return frame.svg("names", height: bars.count * Self.rowHeight, rows.joined())
  }

  /// The beginning and the end of a long name, as wide as a collection's UUID.
  static func shortened(_ name: String) -> String {
    let (name, most) = (QueryOutput.visible(name), Limits.chartNameCharacters)
    guard TextWidth.columns(name) > most else { return name }
    return TextWidth.prefix(name, columns: most / 2) + "…"
      + TextWidth.suffix(name, columns: most - most / 2 - 1)
  }
}

/// Percentiles of durations for each name, on a logarithmic axis.
struct LatencyChart {
  let frame: ChartFrame
  let rows: [Latency]

  private static let mostDecades = 10

  var markup: Markup {
    let (low, high) = decades
    let bottom = rows.count * NameChart.rowHeight + 4
    func x(_ microseconds: Int64) -> String {
      let log = log10(Double(max(1, microseconds)))
      return percent(min(1, max(0, (log - Double(low)) / Double(high - low))))
    }
    let lines = (low...high).map { decade -> Markup in
      let part = Double(decade - low) / Double(high - low)
      let anchor: Markup = decade == low ? "start" : decade == high ? "end" : "middle"
      let style: Markup = (decade - low) % 2 == 1 && decade < high ? "x minor" : "x"
      return """
        <line class="grid" x1="\(percent(part))" x2="\(percent(part))" y1="0" y2="\(bottom)"/>\
        <text class="\(style)" x="\(percent(part))" y="\(bottom + 16)" text-anchor="\(anchor)">\
        \(Self.label(decade: decade))</text>

        """
    }
    let marks = rows.enumerated().map { index, row -> Markup in
      let y = index * NameChart.rowHeight
      let ends = [row.p50, row.p99].map { Figure.duration(microseconds: $0) }
      let text = ends[0] == ends[1] ? ends[0] : ends.joined(separator: " – ")
      return """
        <g><title>\(row.operation)</title><text class="name" x="0" y="\(y + 15)">\
        \(NameChart.shortened(row.operation))</text>\
        <text class="value" x="100%" y="\(y + 15)">\(text)</text>\
        <line class="span" x1="\(x(row.p50))" x2="\(x(row.p99))" y1="\(y + 25)" y2="\(y + 25)"/>\
        <circle class="p50" cx="\(x(row.p50))" cy="\(y + 25)" r="5"/>\
        <circle class="p90" cx="\(x(row.p90))" cy="\(y + 25)" r="4"/>\
        <circle class="p99" cx="\(x(row.p99))" cy="\(y + 25)" r="4"/></g>

        """
    }
    return frame.svg("names", height: bottom + 22, (lines + marks).joined())
  }

  /// Powers of ten of a microsecond around all percentiles.
  private var decades: (low: Int, high: Int) {
    let least = log10(Double(max(1, rows.map(\.p50).min() ?? 1)))
    let most = log10(Double(max(1, rows.map(\.p99).max() ?? 1)))
    let low = Int(least.rounded(.down))
    return (low, min(low + Self.mostDecades, max(low + 1, Int(most.rounded(.up)))))
  }

  private static func label(decade: Int) -> String {
    let microseconds = Int64(pow(10, Double(decade)).rounded())
    return microseconds < 1_000_000
      ? "\(Double(microseconds) / 1_000) ms".replacing(".0 ", with: " ")
      : "\(Figure.count(microseconds / 1_000_000)) s"
  }
}

private func + (left: Markup, right: Markup) -> Markup { [left, right].joined() }
