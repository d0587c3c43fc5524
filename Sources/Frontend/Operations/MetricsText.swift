// MetricsText: Prometheus's text format 0.0.4.
//
// Labels and values are the program's own words and numbers. A label's value is escaped all the
// same, so that a version of a library can't break the page.

struct MetricsText {
  private(set) var text = ""

  /// What comes before the samples of a metric. The prefix is the program's own.
  mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(Self.full(name)) \(help)\n# TYPE \(Self.full(name)) \(type)\n"
  }

  mutating func sample(
    _ name: String, _ labels: [(name: String, value: String)] = [],
    _ value: some CustomStringConvertible
  ) {
    text += Self.full(name)
    if !labels.isEmpty {
      text +=
        "{\(labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ","))}"
    }
    text += " \(value)\n"
  }

  /// A metric of one sample.
  mutating func single(
    _ name: String, _ type: String, _ help: String, _ value: some CustomStringConvertible
  ) {
    family(name, type, help)
    sample(name, [], value)
  }

  /// `2.5` of 2,500,000 microseconds: exact, without an exponent and without zeros behind.
  static func seconds(_ microseconds: UInt64) -> String {
    let (whole, part) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    guard part > 0 else { return "\(whole)" }
    var digits = "\(part)"
    digits = String(repeating: "0", count: 6 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }

  /// Names that Prometheus has for every process stand as they are.
  private static func full(_ name: String) -> String {
    name.hasPrefix("process_") ? name : "globus_s3_frontend_\(name)"
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for character in value {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
    return text
  }
}
