import FoundationEssentials
import Reactor

/// Documents of Globus. Unknown fields are ignored, as its reference asks of clients.
enum GlobusJSON {
  /// `unavailable` when the body is not JSON of that shape; the text names `what`, no content.
  static func decode<Document: Decodable>(
    _ type: Document.Type, from body: [UInt8], _ what: String
  ) throws(GlobusError) -> Document {
    do {
      return try JSONDecoder().decode(type, from: Data(body))
    } catch {
      throw .unavailable("\(what) is not what it is documented to be")
    }
  }
}

/// Seconds of a Retry-After header (RFC 9110 section 10.2.3); nil for none, a date or nonsense.
func retryAfter(_ headers: Headers) -> Int? {
  guard let text = headers["Retry-After"], let seconds = Int(text), seconds >= 0 else {
    return nil
  }
  return min(seconds, GlobusLimits.retryAfterSeconds)
}
