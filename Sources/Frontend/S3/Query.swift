// Query: the query of a request, taken apart strictly and decoded once.
//
// The order is kept, since nothing here may choose between two values of one name: that is refused
// (`requireUnique`), and signatures sort for themselves.

struct Query: Sendable {
  struct Parameter: Sendable, Equatable {
    let name: String
    /// Empty when there was no "=": S3 makes no difference between `?acl` and `?acl=`.
    let value: String
    /// Whether there was a "=", which version 2 of the signature tells apart.
    let hasEquals: Bool
  }

  let parameters: [Parameter]

  /// `text` is what stands behind the "?", as received. Throws InvalidURI for what can't be
  /// decoded, and InvalidArgument for too many parameters.
  init(_ text: some StringProtocol) throws(S3Error) {
    var parameters: [Parameter] = []
    for part in text.utf8.split(separator: UInt8(ascii: "&")) {
      guard parameters.count < Limits.queryParameters else {
        throw S3Error(
          .invalidArgument, "More than \(Limits.queryParameters) parameters in the query.")
      }
      let equals = part.firstIndex(of: UInt8(ascii: "="))
      let name = try Self.decode(part[..<(equals ?? part.endIndex)])
      let value = try equals.map { index throws(S3Error) in
        try Self.decode(part[part.index(after: index)...])
      }
      guard !name.isEmpty else {
        throw S3Error(.invalidArgument, "The query has a parameter without a name.")
      }
      parameters.append(Parameter(name: name, value: value ?? "", hasEquals: equals != nil))
    }
    self.parameters = parameters
  }

  /// The value of the first parameter of that name.
  subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

  func contains(_ name: String) -> Bool { parameters.contains { $0.name == name } }

  /// Throws InvalidArgument when a name stands twice: which value holds would be a guess.
  func requireUnique() throws(S3Error) {
    var seen: Set<String> = []
    for parameter in parameters where !seen.insert(parameter.name).inserted {
      throw S3Error(
        .invalidArgument, "The query has the parameter \"\(parameter.name)\" more than once.",
        details: [("ArgumentName", parameter.name)])
    }
  }

  private static func decode(_ part: some Sequence<UInt8>) throws(S3Error) -> String {
    guard let bytes = PercentEncoding.decode(part),
      let text = String(validating: bytes, as: UTF8.self)
    else {
      throw S3Error(.invalidURI, "The query can't be decoded: percent-encode it as UTF-8.")
    }
    return text
  }
}
