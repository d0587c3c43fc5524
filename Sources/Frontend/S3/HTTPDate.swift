// HTTPDate: the forms of time that S3's HTTP has, to and from Unix seconds: IMF-fixdate (RFC
// 9110 section 5.6.7), the ISO 8601 form of listings and the basic one of signatures.
//
// Own arithmetic: FoundationEssentials of Swift 6.3 has no IMF-fixdate. Years are 1970 to 9999.

enum HTTPDate {
  /// "1994-11-06T08:49:37.000Z", as listings have it.
  static func formatISO(_ seconds: Int64) -> String {
    let seconds = min(max(seconds, 0), latest)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(days)
    let date = "\(two(year / 100))\(two(year % 100))-\(two(month))-\(two(day))"
    return "\(date)T\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60)).000Z"
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

  /// Reads an IMF-fixdate; nil for anything else, also a wrong weekday or a day that isn't.
  static func parse(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count == 29 else { return nil }
    let month = String(decoding: bytes[8..<11], as: UTF8.self)
    guard let month = months.firstIndex(of: month),
      let seconds = seconds(
        year: number(bytes[12..<16]), month: Int64(month) + 1, day: number(bytes[5..<7]),
        hour: number(bytes[17..<19]), minute: number(bytes[20..<22]), second: number(bytes[23..<25])
      )
    else { return nil }
    return format(seconds) == text ? seconds : nil
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
