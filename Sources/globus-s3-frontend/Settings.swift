// Settings: one value per flag, from the command line, the environment or a file, in that order.
//
// A flag `--audit-db` is `GLOBUS_S3_AUDIT_DB` in the environment and `audit-db = …` in the file.
// Repeatable flags are separated by commas in the environment and repeated as lines in the file.

import FoundationEssentials

struct Settings {
  private let flags: [String: [String]]
  private let environment: [String: String]
  private let file: [String: [String]]

  /// `flags` holds what the command line gave, without what it did not give.
  init(
    flags: [String: [String]], environment: [String: String], configFile: String?
  ) throws(ConfigurationError) {
    self.flags = flags.filter { !$0.value.isEmpty }
    self.environment = environment
    file =
      try configFile.map { path throws(ConfigurationError) in
        try Settings.parse(Settings.read(path), path: path)
      } ?? [:]
  }

  /// Every flag with its values.
  var all: [String: [String]] {
    Dictionary(uniqueKeysWithValues: ServeFlags.names.map { ($0, all($0)) })
  }

  /// Every value of a repeatable flag; empty when it is set nowhere.
  func all(_ name: String) -> [String] {
    if let values = flags[name] { return values }
    let variable = "GLOBUS_S3_" + name.uppercased().map { $0 == "-" ? "_" : $0 }
    if let text = environment[variable], !text.isEmpty {
      return text.split(separator: ",").map { trim($0) }
    }
    return file[name] ?? []
  }

  /// What is wrong with a flag's value: bad usage when it came from the command line, else bad
  /// configuration.
  func error(_ name: String, _ message: String) -> ConfigurationError {
    ConfigurationError("--\(name) \(message)", code: flags[name] == nil ? 78 : 64)
  }

  /// The value of a flag that is given once.
  func value(_ name: String) throws(ConfigurationError) -> String? {
    let values = all(name)
    guard values.count <= 1 else {
      throw error(name, "is given more than once; give it once")
    }
    return values.first
  }

  /// The value of a flag that takes one of a few words.
  func word<Word: RawRepresentable & CaseIterable>(
    _ name: String, default standard: Word
  ) throws(ConfigurationError) -> Word where Word.RawValue == String {
    guard let text = try value(name) else { return standard }
    guard let word = Word(rawValue: text) else {
      let words = Word.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
      throw error(name, "must be \(words)")
    }
    return word
  }

  private static func read(_ path: String) throws(ConfigurationError) -> String {
    do {
      return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw ConfigurationError("the file given with --config can't be read as text: \(path)")
    }
  }

  /// Lines `name = value`; blank lines and those that begin with `#` are skipped.
  static func parse(_ text: String, path: String) throws(ConfigurationError) -> [String: [String]] {
    var values: [String: [String]] = [:]
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let line = trim(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      guard let equals = line.firstIndex(of: "=") else {
        throw ConfigurationError("\(path) line \(index + 1): not of the form 'flag = value'")
      }
      let name = trim(line[..<equals])
      guard ServeFlags.names.contains(name) else {
        throw ConfigurationError("\(path) line \(index + 1): there is no flag '\(name)'")
      }
      values[name, default: []].append(trim(line[line.index(after: equals)...]))
    }
    return values
  }
}

/// Without white space around it.
func trim(_ text: some StringProtocol) -> String {
  let isSpace = { (character: Character) in character == " " || character == "\t" }
  let start = text.drop(while: isSpace)
  guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
  return String(start[...last])
}
