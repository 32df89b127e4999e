//! Who may do what: the one table, and the one function that every route goes through.

use super::ids::{Scope, WorkspaceId};
use super::terms::KeyTerms;
use crate::error::Problem;

/// What a credential may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// No credential at all.
    Anyone,
    /// The public write key that a page carries.
    Page,
    Owner,
    Admin,
    Marketer,
    Sales,
    Agent,
    Analyst,
    Developer,
    Auditor,
}

impl Role {
    /// Every role that a person or a secret key can have.
    pub const GRANTABLE: [Self; 8] = [
        Self::Owner,
        Self::Admin,
        Self::Marketer,
        Self::Sales,
        Self::Agent,
        Self::Analyst,
        Self::Developer,
        Self::Auditor,
    ];

    /// The word that rows and documents use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Page => "page",
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Marketer => "marketer",
            Self::Sales => "sales",
            Self::Agent => "agent",
            Self::Analyst => "analyst",
            Self::Developer => "developer",
            Self::Auditor => "auditor",
        }
    }

    /// The grantable role of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::GRANTABLE.into_iter().find(|role| role.word() == word)
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    ReadDocumentation,
    RedeemLink,
    CollectEvents,
    ReadBundle,
    Decide,
    ReadSession,
    SwitchWorkspace,
    ReadVisitors,
    EraseVisitor,
    SetSignals,
    RebuildProfiles,
    MergeProfiles,
    PublishBundle,
    ReadPublished,
    ReadModels,
    ManageModels,
    ReadKeys,
    ManageKeys,
    ReadSettings,
    ChangeSettings,
    ManageIdentitySecrets,
    ReadExperiments,
    ChangeExperiments,
    ReadAudit,
}

impl Action {
    /// Completes "may not …".
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReadDocumentation => "read the documentation",
            Self::RedeemLink => "use an owner link",
            Self::CollectEvents => "send events",
            Self::ReadBundle => "read a bundle",
            Self::Decide => "ask for a decision",
            Self::ReadSession => "read the session",
            Self::SwitchWorkspace => "switch the workspace",
            Self::ReadVisitors => "read visitors",
            Self::EraseVisitor => "erase a visitor",
            Self::SetSignals => "set a visitor's signals",
            Self::RebuildProfiles => "rebuild profiles",
            Self::MergeProfiles => "merge profiles",
            Self::PublishBundle => "publish a bundle",
            Self::ReadPublished => "read what is published",
            Self::ReadModels => "read the list of models",
            Self::ManageModels => "add, check, promote or roll back models",
            Self::ReadKeys => "read the list of keys",
            Self::ManageKeys => "create, change or revoke keys",
            Self::ReadSettings => "read the settings",
            Self::ChangeSettings => "change the settings",
            Self::ManageIdentitySecrets => "manage identity secrets",
            Self::ReadExperiments => "read experiments, features and audiences",
            Self::ChangeExperiments => "change experiments, features and audiences",
            Self::ReadAudit => "read the audit log",
        }
    }
}

/// The table. A role that a line does not name may not do what the line is about.
const fn allows(role: Role, action: Action) -> bool {
    use Role::{Admin, Agent, Analyst, Anyone, Auditor, Developer, Marketer, Owner, Page, Sales};
    match action {
        Action::ReadDocumentation | Action::RedeemLink => true,
        Action::CollectEvents => matches!(role, Page | Owner | Admin | Developer),
        Action::ReadBundle => !matches!(role, Anyone),
        Action::Decide => matches!(role, Page | Owner | Admin | Developer),
        Action::ReadSession | Action::SwitchWorkspace => !matches!(role, Anyone | Page),
        Action::ReadVisitors => matches!(role, Owner | Admin | Marketer | Sales | Agent | Analyst),
        Action::EraseVisitor => matches!(role, Owner | Admin),
        Action::MergeProfiles => matches!(role, Owner | Admin),
        Action::SetSignals | Action::RebuildProfiles => matches!(role, Owner | Admin | Developer),
        Action::PublishBundle | Action::ChangeExperiments => {
            matches!(role, Owner | Admin | Marketer | Developer)
        }
        Action::ManageModels => matches!(role, Owner | Admin | Developer),
        Action::ReadPublished | Action::ReadModels | Action::ReadExperiments => {
            matches!(role, Owner | Admin | Marketer | Analyst | Developer | Auditor)
        }
        Action::ReadKeys => matches!(role, Owner | Admin | Developer | Auditor),
        Action::ManageKeys | Action::ChangeSettings => matches!(role, Owner | Admin),
        Action::ReadSettings => !matches!(role, Anyone | Page),
        Action::ManageIdentitySecrets => matches!(role, Owner | Admin | Developer),
        Action::ReadAudit => matches!(role, Owner | Admin | Auditor),
    }
}

/// Who acts, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

/// Somebody whose credential was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub actor: Actor,
    pub role: Role,
    /// What the credential opens; nothing without a credential.
    pub scope: Option<Scope>,
    /// What the credential's key was limited to.
    pub terms: KeyTerms,
}

impl Principal {
    /// Who comes without a credential.
    pub fn anyone() -> Self {
        Self {
            actor: Actor("anyone".to_owned()),
            role: Role::Anyone,
            scope: None,
            terms: KeyTerms::default(),
        }
    }
}

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// What belongs to no workspace.
    Public,
    /// Whatever the credential opens.
    Own,
    /// Something of a workspace that the request names.
    Of(WorkspaceId),
}

/// Proof that [`authorize`] said yes; services take it, and nothing else makes it.
#[derive(Debug, Clone)]
pub struct Permit {
    actor: Actor,
    scope: Scope,
}

impl Permit {
    /// Who acts.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// On whose data.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// For what goes on after a change was allowed, in the name of who made it.
    pub(crate) const fn of(actor: Actor, scope: Scope) -> Self {
        Self { actor, scope }
    }

    /// For the operator who holds the data directory: start-up and the command line.
    pub fn operator(scope: Scope) -> Self {
        Self { actor: Actor("operator".to_owned()), scope }
    }
}

/// Says whether `who` may do `action` on `resource`.
///
/// # Errors
/// [`Problem::NoCredential`] where a credential would help, [`Problem::NotFound`] for what belongs to
/// another workspace (its existence is nobody else's business), otherwise [`Problem::Forbidden`].
pub fn authorize(who: &Principal, action: Action, resource: Resource) -> Result<Permit, Problem> {
    if !allows(who.role, action) {
        return Err(match who.role {
            Role::Anyone => Problem::NoCredential,
            role => Problem::Forbidden { role: role.word(), action: action.words() },
        });
    }
    let scope = match (resource, who.scope) {
        (Resource::Public, scope) => scope.unwrap_or(Scope::live(WorkspaceId::INSTALLATION)),
        (_, None) => return Err(Problem::NoCredential),
        (Resource::Own, Some(scope)) => scope,
        (Resource::Of(workspace), Some(scope)) if workspace == scope.workspace => scope,
        (Resource::Of(_), Some(_)) => return Err(Problem::NotFound("workspace")),
    };
    Ok(Permit { actor: who.actor.clone(), scope })
}
