// SignIn: the OAuth2 sign-in (RFC 6749 section 4.1, RFC 7636, RFC 9700).
//
// start: learn what each collection needs, then send the browser to Globus with exactly that.
// callback: check that this browser began it, exchange the code, check what was granted, seal it.
// A collection that the app itself can't see takes two trips: see SignInFlow.

import Crypto
import Logging
import Reactor

@Loop final class SignIn: SignInHandling {
  private let baseURL: BaseURL
  private let alwaysStrict: Bool
  private let auth: AuthClient
  private let transfer: TransferClient
  private let serviceToken: ServiceToken
  private let sealer: CredentialSealer
  private let cookie: SignInCookie
  private let logger: Logger

  init(
    _ configuration: Configuration, keyring: Keyring, sealer: CredentialSealer, auth: AuthClient,
    transfer: TransferClient, logger: Logger
  ) {
    self.logger = logger
    baseURL = configuration.baseURL
    alwaysStrict = configuration.signatures == .verify
    self.auth = auth
    self.transfer = transfer
    self.sealer = sealer
    serviceToken = ServiceToken(auth)
    cookie = SignInCookie(keyring: keyring, isSecure: configuration.baseURL.isSecure)
  }

  func start(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply {
    var reply: SignInReply
    var link: SignInLink?
    do throws(SignInError) {
      let valid = try SignInLink(
        request.parameters, collections: request.collections, isStrict: request.isStrict)
      link = valid
      reply = try await begin(valid, request, trace)
    } catch {
      reply = refusal(error, request, retry: retry(error, request, link))
    }
    reply.collections = request.collections
    return reply
  }

  func callback(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply {
    guard request.head.method == "GET" else {
      return refusal(.methodNotAllowed, request)
    }
    guard let parameters = CallbackParameters(request.parameters, issuer: auth.issuer) else {
      return refusal(.malformedCallback, request)
    }
    guard let flow = cookie.flow(for: parameters.state, in: request.cookies, now: now) else {
      return refusal(.unknownFlow, request)
    }
    let ids = flow.targets.map(\.id)
    var reply: SignInReply
    do throws(SignInError) {
      reply = try await end(flow, parameters.outcome, request, trace)
    } catch {
      var link = flow.link
      if let requirements = error.requirements {
        link.requirements = requirements.limited(to: ids)
      }
      if error.leavesRootOut { link.root = nil }
      reply = refusal(error, request, retry: link.url(at: baseURL))
    }
    reply.headers.add("Set-Cookie", cookie.clear(cookie.name(for: flow.state)))
    reply.collections = ids
    return reply
  }

  private func refusal(
    _ error: SignInError, _ request: SignInRequest, retry: String? = nil
  ) -> SignInReply {
    SignInAnswer.failure(
      error, as: request.form, requestID: request.requestID, retry: retry, baseURL: baseURL)
  }

  /// Where a start that failed may do better, if anywhere; `link` is nil when it could not be read.
  private func retry(
    _ error: SignInError, _ request: SignInRequest, _ link: SignInLink?
  ) -> String? {
    guard !request.collections.isEmpty, error == .notPublic || !error.asksForCollection else {
      return nil
    }
    var next =
      link ?? SignInLink(collections: request.collections, isStrict: request.isStrict)
    if error == .notPublic { next.mayBePrivate = true }
    if error.leavesRootOut { next.root = nil }
    return next.url(at: baseURL)
  }

  private var now: Int64 { Loop.wallClockMicroseconds / 1_000_000 }

  private func begin(
    _ link: SignInLink, _ request: SignInRequest, _ trace: UpstreamTrace
  ) async throws(SignInError) -> SignInReply {
    guard request.head.method == "GET" else { throw .methodNotAllowed }
    guard SignInURL.isBase(request.host, baseURL) else {
      return SignInAnswer.redirect(to: link.url(at: baseURL))
    }
    var targets: [SignInFlow.Target] = []
    for id in link.collections {
      targets.append(try await publicTarget(id, mayBePrivate: link.mayBePrivate, trace))
    }
    var flow = SignInFlow(targets: targets, isStrict: link.isStrict || alwaysStrict)
    flow.root = link.root
    flow.requirements = link.requirements
    flow.mayBePrivate = link.mayBePrivate
    return try redirect(to: flow, request, surplus: cookie.surplus(in: request.cookies))
  }

  /// The target as the app itself sees it; without knowledge when it can't. A collection that
  /// Transfer denies to exist is looked up in the person's name only when they ask for that.
  private func publicTarget(
    _ id: CollectionID, mayBePrivate: Bool, _ trace: UpstreamTrace
  ) async throws(SignInError) -> SignInFlow.Target {
    do throws(GlobusError) {
      let token = try await serviceToken.token(trace: trace)
      return try target(id, try await transfer.collection(id, token: token, trace: trace))
    } catch {
      switch error {
      case .denied, .signInRequired: return SignInFlow.Target(id: id)
      case .collectionNotFound:
        guard mayBePrivate else { throw .notPublic }
        return SignInFlow.Target(id: id)
      case .expired:
        serviceToken.forget()
        throw failure(error, trace)
      default: throw failure(error, trace)
      }
    }
  }

  /// The target of that document.
  private func target(
    _ id: CollectionID, _ document: CollectionDocument
  ) throws(GlobusError) -> SignInFlow.Target {
    guard document.kind != .other, let server = document.httpsServer.flatMap({ HTTPSServer($0) })
    else { throw .noHTTPS }
    let name = document.displayName.map {
      plainText($0, bytes: GlobusLimits.displayNameBytes)
    }
    return SignInFlow.Target(
      id: id,
      known: SignInFlow.Target.Known(
        httpsHost: server.authority, needsDataAccess: document.needsDataAccess, name: name))
  }

  private func redirect(
    to flow: SignInFlow, _ request: SignInRequest, surplus: [String]
  ) throws(SignInError) -> SignInReply {
    var reply = SignInAnswer.redirect(
      to: auth.authorizeURL(
        scope: flow.scope, state: flow.state, verifier: flow.verifier,
        session: flow.sessionParameters))
    do throws(CryptoError) {
      reply.headers.add("Set-Cookie", try cookie.set(flow, now: now))
    } catch {
      throw flow.targets.count > 1 ? .tooManyCollections : .linkTooLong
    }
    for name in surplus { reply.headers.add("Set-Cookie", cookie.clear(name)) }
    return reply
  }

  private func end(
    _ flow: SignInFlow, _ outcome: CallbackParameters.Outcome, _ request: SignInRequest,
    _ trace: UpstreamTrace
  ) async throws(SignInError) -> SignInReply {
    let code: Secret
    switch outcome {
    case .code(let value): code = value
    case .error(.accessDenied): throw .accessDenied
    case .error(.unavailable): throw .unavailable
    case .error(.other): throw .refusedByGlobus
    }
    let tokens: AuthTokens
    let user: UserInfo
    do throws(AuthError) {
      tokens = try await auth.exchange(code: code.value, verifier: flow.verifier, trace: trace)
      guard let identity = tokens.identity else { throw .unavailable("no identity token") }
      user = try await auth.userInfo(identity, trace: trace)
    } catch {
      log("signing in", "\(error)", trace)
      throw SignInError(error)
    }
    guard flow.isLast else { return try await secondTrip(flow, tokens, user, request, trace) }
    let credential = try credential(flow, tokens, user)
    try await checkRoot(of: credential, trace)
    return try finish(flow, credential, as: request.form, trace)
  }

  /// Finds out with the person's own token what the app could not see, and asks for that.
  private func secondTrip(
    _ flow: SignInFlow, _ tokens: AuthTokens, _ user: UserInfo, _ request: SignInRequest,
    _ trace: UpstreamTrace
  ) async throws(SignInError) -> SignInReply {
    guard let token = tokens.transfer else { throw .consentIncomplete }
    var targets: [SignInFlow.Target] = []
    for known in flow.targets {
      do throws(GlobusError) {
        let document = try await transfer.collection(
          known.id, token: TransferToken(secret: token.secret), trace: trace)
        targets.append(try target(known.id, document))
      } catch {
        throw failure(error, trace)
      }
    }
    var reply = try redirect(to: flow.next(targets), request, surplus: [])
    reply.identityID = user.identity.description
    reply.username = user.username
    return reply
  }

  private func credential(
    _ flow: SignInFlow, _ tokens: AuthTokens, _ user: UserInfo
  ) throws(SignInError) -> Credential {
    guard let transfer = tokens.transfer else { throw .consentIncomplete }
    var grants: [CollectionGrant] = []
    for target in flow.targets {
      guard let known = target.known,
        let token = tokens.https(target.id, needsDataAccess: known.needsDataAccess)
      else { throw .consentIncomplete }
      grants.append(
        CollectionGrant(
          collection: target.id, rootFolder: flow.root, httpsHost: known.httpsHost, https: token))
    }
    let end = grants.map(\.https.expiresAt).reduce(transfer.expiresAt, min)
    return Credential(
      isStrict: flow.isStrict, issuedAt: now, expiresAt: end,
      sessionID: UInt64.random(in: .min ... .max), identity: user.identity,
      username: user.username, collections: grants, transfer: transfer)
  }

  /// A bucket whose folder is not there would only show that much later. What keeps Transfer from
  /// saying so now is left to the requests, which explain it better.
  private func checkRoot(
    of credential: Credential, _ trace: UpstreamTrace
  ) async throws(SignInError) {
    guard let grant = credential.collections.first, let root = grant.rootFolder,
      let path = RootFolder.confined(root.description, to: root)
    else { return }
    let token = TransferToken(secret: credential.transfer.secret)
    do throws(GlobusError) {
      let status = try await transfer.stat(path, in: grant.collection, token: token, trace: trace)
      guard status.kind == .directory else { throw .notFound }
    } catch {
      switch error {
      case .notFound, .denied: throw .noSuchFolder
      case .noAccount: throw .noAccount
      case .signInRequired(let requirements): throw .signInRequired(requirements)
      default: log("looking at a root folder", "\(error)", trace)
      }
    }
  }

  private func finish(
    _ flow: SignInFlow, _ credential: Credential, as form: AnswerForm, _ trace: UpstreamTrace
  ) throws(SignInError) -> SignInReply {
    let sealed: SealedCredential
    do throws(CredentialError) {
      sealed = try sealer.seal(credential)
    } catch {
      log("sealing a credential", "\(error)", trace)
      if case .tooLong = error { throw .tooManyCollections }
      throw .unavailable
    }
    var reply = SignInAnswer.success(
      SignedIn(
        sealed: sealed, credential: credential, names: flow.targets.map { $0.known?.name },
        baseURL: baseURL),
      as: form)
    reply.identityID = credential.identity.description
    reply.username = credential.username
    reply.credentialFingerprint = CredentialSealer.fingerprint(of: sealed.accessKeyID)
    reply.rootFolder = credential.collections.first?.rootFolder
    return reply
  }

  private func failure(_ error: GlobusError, _ trace: UpstreamTrace) -> SignInError {
    switch error {
    case .notFound, .collectionNotFound, .denied: return .noSuchCollection
    case .noHTTPS: return .noHTTPSServer
    case .slowDown(let seconds): return .slowDown(seconds)
    case .signInRequired(let requirements): return .signInRequired(requirements)
    case .noAccount: return .noAccount
    case .addressRefused(let address):
      log("reaching a collection", address, trace)
      return .addressRefused
    case .expired, .unavailable, .invalidRange, .folderTooLarge:
      log("reading a collection's document", "\(error)", trace)
      return .unavailable
    }
  }

  private func log(_ what: String, _ error: String, _ trace: UpstreamTrace) {
    logger.warning(
      "\(what) failed",
      metadata: ["error": "\(error)", "request_id": "\(trace.requestID?.description ?? "")"])
  }
}

extension SignInRequest {
  /// The form of the answer.
  fileprivate var form: AnswerForm {
    AnswerForm(accept: head.headers.values(of: "Accept").joined(separator: ","))
  }

  fileprivate var cookies: [String] { head.headers.values(of: "Cookie") }
}
