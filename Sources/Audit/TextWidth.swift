// TextWidth: how many columns text takes where letters are as wide as each other: a terminal, and
// nearly so a picture. East Asian wide characters and emoji take two (Unicode Standard Annex 11).

enum TextWidth {
  static func columns(_ text: some StringProtocol) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + columns(of: $1) }
  }

  /// As many characters from the beginning as fit.
  static func prefix(_ text: some StringProtocol, columns most: Int) -> String {
    var (result, used) = ("", 0)
    for character in text {
      used += columns(of: character)
      if used > most { break }
      result.append(character)
    }
    return result
  }

  /// As many characters from the end as fit.
  static func suffix(_ text: some StringProtocol, columns most: Int) -> String {
    String(prefix(String(text.reversed()), columns: most).reversed())
  }

  private static func columns(of character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    let isWide = first.properties.isEmojiPresentation || wide.contains { $0 ~= first.value }
    return isWide || character.unicodeScalars.contains("\u{FE0F}") ? 2 : 1
  }

  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60,
    0xFFE0...0xFFE6, 0x16FE0...0x1B2FB, 0x1F200...0x1F265, 0x20000...0x3FFFD,
  ]
}
