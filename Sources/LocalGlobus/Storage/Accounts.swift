// Accounts: names of local users and groups, and times, as Transfer writes them.

import Glibc
import Reactor

@Loop enum Accounts {
  private static var users: [UInt32: String?] = [:]
  private static var groups: [UInt32: String?] = [:]

  static func user(_ id: UInt32) -> String? {
    if let known = users[id] { return known }
    let name = getpwuid(id).map { String(cString: $0.pointee.pw_name) }
    users[id] = .some(name)
    return name
  }

  static func group(_ id: UInt32) -> String? {
    if let known = groups[id] { return known }
    let name = getgrgid(id).map { String(cString: $0.pointee.gr_name) }
    groups[id] = .some(name)
    return name
  }
}

/// `YYYY-MM-DD HH:MM:SS+00:00`, the form of Transfer's file documents.
func transferTime(_ seconds: Int64) -> String {
  var time = time_t(seconds)
  var parts = tm()
  gmtime_r(&time, &parts)
  let padded = { (value: Int32, width: Int) in
    String(repeating: "0", count: max(0, width - String(value).utf8.count)) + String(value)
  }
  let date = [
    padded(parts.tm_year + 1900, 4), padded(parts.tm_mon + 1, 2), padded(parts.tm_mday, 2),
  ]
  let clock = [padded(parts.tm_hour, 2), padded(parts.tm_min, 2), padded(parts.tm_sec, 2)]
  return date.joined(separator: "-") + " " + clock.joined(separator: ":") + "+00:00"
}
