// HTTPDate: the forms of time that S3's HTTP has, to and from Unix seconds: those of RFC 9110
// section 5.6.7, the ISO 8601 form of listings and the basic one of signatures.
//
// Own arithmetic: FoundationEssentials of Swift 6.3 has no IMF-fixdate, and its ISO 8601 begins with a
// calendar and its time zones, a megabyte of ICU's tables. Years are 1970 to 9999.

public enum HTTPDate {
  /// "1994-11-06T08:49:37.000Z", as listings have it.
  public static func formatISO(_ seconds: Int64, milliseconds: Int64 = 0) -> String {
    let fraction = "\(1_000 + milliseconds)".dropFirst()
    return "\(formatISOSeconds(seconds).dropLast()).\(fraction)Z"
  }

  /// "1994-11-06T08:49:37Z".
  static func formatISOSeconds(_ seconds: Int64) -> String {
    let seconds = min(max(seconds, 0), latest)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(days)
    let date = "\(two(year / 100))\(two(year % 100))-\(two(month))-\(two(day))"
    return "\(date)T\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
  }

  /// Whether it is what `formatISOSeconds` writes.
  static func isISOSeconds(_ text: String) -> Bool {
    parseBasic(text.filter { $0 != "-" && $0 != ":" }).map(formatISOSeconds) == text
  }

  /// "Sun, 06 Nov 1994 08:49:37 GMT"; times outside the years that the form has are moved there.
  static func format(_ seconds: Int64) -> String {
    let seconds = min(max(seconds, 0), latest)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(days)
    var text = Array("Www, dd Mmm yyyy hh:mm:ss GMT".utf8)
    text.replaceSubrange(0..<3, with: weekdays[Int((days + 4) % 7)].utf8)
    text.replaceSubrange(8..<11, with: months[Int(month) - 1].utf8)
    for (place, number) in [
      (5, day), (12, year / 100), (14, year % 100), (17, rest / 3_600), (20, rest / 60 % 60),
      (23, rest % 60),
    ] {
      text[place] = UInt8(ascii: "0") + UInt8(number / 10)
      text[place + 1] = UInt8(ascii: "0") + UInt8(number % 10)
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads an IMF-fixdate or one of its two forerunners; nil for anything else, also a wrong
  /// weekday or a day that isn't.
  static func parse(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    let comma = bytes.firstIndex(of: UInt8(ascii: ",")) ?? bytes.count
    switch bytes.count - comma {
    case 26: return parseFixed(bytes)
    case 24: return parseRFC850(bytes, afterWeekday: comma)
    default: return parseAsctime(bytes)
    }
  }

  /// "Sun, 06 Nov 1994 08:49:37 GMT"
  private static func parseFixed(_ bytes: [UInt8]) -> Int64? {
    guard bytes.count == 29,
      let seconds = seconds(
        year: number(bytes[12..<16]), month: month(bytes[8..<11]), day: number(bytes[5..<7]),
        hour: number(bytes[17..<19]), minute: number(bytes[20..<22]), second: number(bytes[23..<25])
      )
    else { return nil }
    return format(seconds).utf8.elementsEqual(bytes) ? seconds : nil
  }

  /// "Sunday, 06-Nov-94 08:49:37 GMT". The weekday says which century is meant, since 1900 to 2000
  /// shifts it by one: RFC 9110 would have it guessed from today's date.
  private static func parseRFC850(_ bytes: [UInt8], afterWeekday comma: Int) -> Int64? {
    guard comma > 3, longWeekdays.contains(where: { bytes[..<comma].elementsEqual($0.utf8) }),
      bytes[comma + 4] == UInt8(ascii: "-"), bytes[comma + 8] == UInt8(ascii: "-")
    else { return nil }
    let year = bytes[(comma + 9)..<(comma + 11)]
    for century in ["19", "20"] {
      var fixed = bytes[..<3] + bytes[comma..<(comma + 4)] + [0x20]
      fixed += bytes[(comma + 5)..<(comma + 8)] + [0x20] + Array(century.utf8) + year
      fixed += bytes[(comma + 11)...]
      if let seconds = parseFixed(Array(fixed)) { return seconds }
    }
    return nil
  }

  /// "Sun Nov  6 08:49:37 1994"
  private static func parseAsctime(_ bytes: [UInt8]) -> Int64? {
    guard bytes.count == 24, bytes[3] == 0x20, bytes[7] == 0x20, bytes[10] == 0x20,
      bytes[19] == 0x20, bytes[8] != UInt8(ascii: "0")
    else { return nil }
    let tens = bytes[8] == 0x20 ? UInt8(ascii: "0") : bytes[8]
    let fixed = [bytes[..<3], [0x2c, 0x20, tens], bytes[9..<11], bytes[4..<8], bytes[20...]]
    return parseFixed(Array(fixed.joined()) + [0x20] + bytes[11..<19] + Array(" GMT".utf8))
  }

  /// Reads "20130524T000000Z"; nil for anything else.
  static func parseBasic(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else {
      return nil
    }
    return seconds(
      year: number(bytes[0..<4]), month: number(bytes[4..<6]), day: number(bytes[6..<8]),
      hour: number(bytes[9..<11]), minute: number(bytes[11..<13]), second: number(bytes[13..<15]))
  }

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let longWeekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  /// The last second of 9999.
  private static let latest: Int64 = 253_402_300_799

  private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
    var value: Int64 = 0
    for digit in digits {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private static func month(_ name: ArraySlice<UInt8>) -> Int64? {
    months.firstIndex { name.elementsEqual($0.utf8) }.map { Int64($0) + 1 }
  }

  private static func seconds(
    year: Int64?, month: Int64?, day: Int64?, hour: Int64?, minute: Int64?, second: Int64?
  ) -> Int64? {
    guard let year, let month, let day, let hour, let minute, let second,
      1970...9999 ~= year, 1...12 ~= month, 1...31 ~= day,
      0...23 ~= hour, 0...59 ~= minute, 0...59 ~= second
    else { return nil }
    let days = days(year, month, day)
    guard civil(days) == (year, month, day) else { return nil }
    return days * 86_400 + hour * 3_600 + minute * 60 + second
  }

  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that
  // the leap day is a year's last. Days count from 1970-01-01, and are not negative here.

  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let yearOfEra = year % 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return year / 400 * 146_097 + dayOfEra - 719_468
  }

  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let dayOfEra = shifted % 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + shifted / 146_097 * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
