// SignInAnswer: the answers of the sign-in in their three forms, and the headers of all of them.
//
// Every answer is for one person and may hold secrets or come from a URL with a code: nothing of it
// is cached, framed, or told to the next site (security-and-audit: OAuth flow).

import FoundationEssentials
import Reactor

/// What a finished sign-in shows, once.
struct SignedIn: Sendable {
  let sealed: SealedCredential
  let credential: Credential
  /// Names of the collections as their owners wrote them, in the credential's order.
  let names: [String?]
  let baseURL: BaseURL

  var expiry: String {
    HTTPDate.formatISOSeconds(credential.expiresAt)
  }
}

enum SignInAnswer {
  /// A redirect that turns any method into GET (RFC 9700 section 4.12).
  static func redirect(to url: String) -> SignInReply {
    var headers = secured([:])
    headers.add("Location", url)
    return SignInReply(status: 303, headers: headers)
  }

  static func success(_ result: SignedIn, as form: AnswerForm) -> SignInReply {
    let body =
      switch form {
      case .text: Array(result.sealed.accessKeyID.utf8)
      case .json: json(Success(result))
      case .html: Array(SignInPage.success(result).utf8)
      }
    return SignInReply(status: 200, headers: headers(form), body: body)
  }

  /// `retry` is where the same sign-in starts anew, if that is known and worth it.
  static func failure(
    _ error: SignInError, as form: AnswerForm, requestID: String, retry: String? = nil,
    baseURL: BaseURL
  ) -> SignInReply {
    // The form for another collection leads to Globus, which may pass the browser on to any
    // institution's own sign-in; Chromium applies form-action to redirects, too.
    var headers = headers(form, formAction: baseURL.isSecure ? "https:" : "https: http:")
    if let seconds = error.retryAfter { headers.add("Retry-After", String(seconds)) }
    if error == .methodNotAllowed { headers.add("Allow", "GET") }
    var message = "\(error.message) \(error.nextStep)"
    // A program has no page with a link on it.
    if error.requirements != nil, let retry { message += " \(error.link): \(retry)" }
    let body =
      switch form {
      case .text: Array((message + "\n").utf8)
      case .json: json(Failure(error: error.code, message: message))
      case .html:
        Array(
          SignInPage.failure(error, requestID: requestID, retry: retry, baseURL: baseURL).utf8)
      }
    return SignInReply(
      status: error.status, headers: headers, body: body, errorCode: error.code)
  }

  private static func headers(_ form: AnswerForm, formAction: String = "'none'") -> Headers {
    secured(["Content-Type": "\(form.mediaType); charset=utf-8"], formAction: formAction)
  }

  private static func secured(_ headers: Headers, formAction: String = "'none'") -> Headers {
    var headers = headers
    headers.add(
      "Content-Security-Policy",
      "default-src 'none'; style-src '\(PageDocument.styleHash)'; "
        + "script-src '\(PageDocument.scriptHash)'; base-uri 'none'; "
        + "form-action \(formAction); frame-ancestors 'none'")
    headers.add("Referrer-Policy", "no-referrer")
    headers.add("Cache-Control", "no-store")
    headers.add("X-Content-Type-Options", "nosniff")
    headers.add("X-Frame-Options", "DENY")
    headers.add("Cross-Origin-Opener-Policy", "same-origin")
    return headers
  }

  // As JSON the names have underscores.
  private struct Success: Encodable {
    let accessKeyId: String
    let secretAccessKey: String
    let collections: [String]
    let endpointUrl: String
    let expiresAt: String

    init(_ result: SignedIn) {
      accessKeyId = result.sealed.accessKeyID
      secretAccessKey = result.sealed.secretAccessKey.value
      collections = result.credential.collections.map(\.collection.description)
      endpointUrl = result.baseURL.description
      expiresAt = result.expiry
    }
  }

  private struct Failure: Encodable {
    let error: String
    let message: String
  }

  private static func json(_ object: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Strings always have a JSON form.
    return ((try? encoder.encode(object)).map { Array($0) } ?? []) + [UInt8(ascii: "\n")]
  }
}
