// Answers of Globus. The first byte says which: Auth's tokens (t), userinfo (u) or error (a);
// Transfer's collection (c), stat (s), listing (l) or error (e); a collection's error (d).
//   - What is taken is bounded and in form, whatever the answer says: tokens fit a header, names
//     are not empty, what a sign-in is to ask for fits a link and is the same read from one.

import Reactor

@testable import Frontend

private let collection = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!

func fuzzJSON(_ input: [UInt8]) {
  guard let kind = input.first else { return }
  let body = Array(input.dropFirst())
  switch kind {
  case UInt8(ascii: "t"): checkTokens(body)
  case UInt8(ascii: "u"):
    guard let who = try? UserInfo(body) else { return }
    holds(who.username.utf8.count <= CredentialLimits.usernameBytes, "a username's length")
  case UInt8(ascii: "a"):
    for status in [400, 401, 403, 429, 500] {
      _ = AuthError(status: status, headers: [:], body: body)
    }
  case UInt8(ascii: "c"):
    let document = try? GlobusJSON.decode(CollectionDocument.self, from: body, "")
    if let text = document?.httpsServer, let server = HTTPSServer(text) {
      holds(server.authority.utf8.allSatisfy { (0x21..<0x7f).contains($0) }, "a server's name")
      holds(HTTPSServer("https://\(server.authority)") == server, "a server's name again")
    }
  case UInt8(ascii: "s"):
    let status = try? GlobusJSON.decode(FileDocument.self, from: body, "").status()
    if let status { check(status) }
  case UInt8(ascii: "l"):
    for entry in (try? GlobusJSON.decode(FolderDocument.self, from: body, "").entries()) ?? [] {
      holds(!entry.name.isEmpty, "an entry has a name")
      check(entry.status)
    }
  case UInt8(ascii: "e"):
    for status in [400, 403, 404, 502] {
      check(TransferFault.error(status: status, headers: [:], body: body))
    }
  case UInt8(ascii: "d"):
    _ = FaultTriage.verdict(body)
    check(SignInRequirements(json: body))
  default: break
  }
}

private func checkTokens(_ body: [UInt8]) {
  guard let tokens = try? AuthTokens(body, now: 1_800_000_000) else { return }
  let all = [tokens.transfer, tokens.https(collection, needsDataAccess: true)].compactMap(\.self)
  for token in all {
    let text = token.secret.value.utf8
    holds(1...CredentialLimits.tokenBytes ~= text.count, "a token's length")
    holds(text.allSatisfy { (0x21..<0x7f).contains($0) }, "a token fits a header")
    holds(GlobusLimits.tokenSeconds ~= Int(token.expiresAt - 1_800_000_000), "a token's end")
  }
}

private func check(_ status: FileStatus) {
  // What is sent as Last-Modified and in listings.
  holds(!HTTPDate.format(status.modified).isEmpty, "a time can be written")
  holds(!HTTPDate.formatISO(status.modified).isEmpty, "a time can be written")
}

private func check(_ error: GlobusError) {
  if case .signInRequired(let requirements) = error { check(requirements) }
  if case .unavailable(let text) = error { holds(text.utf8.count <= 200, "a log's text") }
}

private func check(_ requirements: SignInRequirements) {
  let query = PercentEncoding.query(requirements.parameters)
  guard let parsed = try? Query(query) else { return holds(false, "requirements are a query") }
  let again = SignInRequirements(link: parsed.parameters.map { ($0.name, $0.value) })
  holds(again == requirements, "requirements fit a link, and are the same from it")
}
