// The target of a request, as far as its query.
//   - Parameters are few and have names; encoded anew they are the same.
//   - A listing's size is bounded whatever is asked; no token opens that was not made here.
//   - The link of a sign-in that is taken is the same when it is made anew.

import Crypto

@testable import Frontend

private let collection = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let base = BaseURL("https://s3.example.org")!
private let tokens = ContinuationToken(keys: [SecretBytes([UInt8](repeating: 7, count: 32))])
private let issued = tokens.seal("results/a.csv")

func fuzzQuery(_ input: [UInt8]) {
  guard let target = String(validating: input, as: UTF8.self),
    let address = try? RequestAddress(host: "", target: target, baseHost: base.host)
  else { return }
  holds(target.utf8.elementsEqual(rejoined(address, of: target).utf8), "a target's parts")
  guard let query = try? Query(address.encodedQuery) else { return }
  check(query)
  checkListing(query)
  checkLink(query)
  for level in [RequestAddress.Level.service, .bucket, .object] {
    _ = Action(method: "GET", level: level, query: query) { _ in nil }
  }
}

private func rejoined(_ address: RequestAddress, of target: String) -> String {
  target.utf8.contains(UInt8(ascii: "?"))
    ? "\(address.path)?\(address.encodedQuery)" : address.path
}

private func check(_ query: Query) {
  holds(query.parameters.count <= Limits.queryParameters, "the number of parameters")
  holds(!query.parameters.contains { $0.name.isEmpty }, "parameters have names")
  let anew = query.parameters.map {
    PercentEncoding.component($0.name)
      + ($0.hasEquals ? "=" + PercentEncoding.component($0.value) : "")
  }.joined(separator: "&")
  holds((try? Query(anew))?.parameters == query.parameters, "a query encoded anew")
}

private func checkListing(_ query: Query) {
  for form in [ListingForm.version1, .version2, .versions] {
    let listing = try? ListingRequest(form, query: query, open: tokens.open)
    guard let listing else { continue }
    holds(0...Limits.listedKeys ~= listing.maxKeys, "a listing's size")
    if let token = listing.continuationToken {
      holds(token == issued, "only an issued token opens")
    }
  }
}

private func checkLink(_ query: Query) {
  let parameters = query.parameters.map { (name: $0.name, value: $0.value) }
  if let callback = CallbackParameters(parameters, issuer: "https://auth.example.org") {
    holds(!callback.state.isEmpty, "a callback has a state")
  }
  let strict = query.contains("strict")
  guard
    let link = try? SignInLink(parameters, collections: [collection], isStrict: strict)
  else { return }
  let url = link.url(at: base)
  let text = url.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1).last!
  let again = try? Query(String(Substring(text))).parameters.map {
    (name: $0.name, value: $0.value)
  }
  guard let again else { return holds(false, "a link's query is one") }
  let remade = try? SignInLink(again, collections: [collection], isStrict: strict)
  holds(remade == link, "a link made anew")
}
