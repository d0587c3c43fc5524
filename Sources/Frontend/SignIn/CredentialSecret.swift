/// Text that opens something: a token of Globus or a secret access key. No description shows it.
struct Secret: Hashable, Sendable {
  /// The text itself, for the one header or page that it is meant for.
  let value: String

  init(_ value: String) { self.value = value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  var description: String { "<secret>" }
  var debugDescription: String { "<secret>" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
