//! Where values come from, and why.

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    UnknownFeature,
    Default,
    Force,
    Experiment,
    Prerequisite,
    CyclicPrerequisite,
}

impl Source {
    /// GrowthBook's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownFeature => "unknownFeature",
            Self::Default => "defaultValue",
            Self::Force => "force",
            Self::Experiment => "experiment",
            Self::Prerequisite => "prerequisite",
            Self::CyclicPrerequisite => "cyclicPrerequisite",
        }
    }

    /// A sentence for people; where an experiment decides, its own says more.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownFeature => "there is no such feature",
            Self::Default => "no rule applies, so this is the default",
            Self::Force | Self::Experiment => "its condition holds",
            Self::Prerequisite => "a feature that it depends on has another value",
            Self::CyclicPrerequisite => "features depend on one another in a ring",
        }
    }
}

/// Why a visitor is in an experiment, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The visitor's place says so.
    Placed,
    /// The visitor got it before.
    Remembered,
    /// The address's query asks for it.
    ByAddress,
    /// Somebody chose it by hand.
    ByHand,
    /// The experiment gives it to all.
    ByExperiment,
    TooFewVariations,
    Disabled,
    OtherPage,
    Inactive,
    /// The visitor lacks the attribute that would be hashed.
    NoValue,
    FilteredOut,
    OtherNamespace,
    ConditionFailed,
    PrerequisiteFailed,
    UnknownHash,
    /// An earlier version of the experiment had the visitor.
    EarlierVersion,
    /// The visitor falls where no variation is.
    NotCovered,
    OnlyForced,
}

impl Why {
    /// A sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Placed => "the visitor's place falls to this variation",
            Self::Remembered => "the visitor got this variation before",
            Self::ByAddress => "the address asks for this variation",
            Self::ByHand => "somebody chose this variation by hand",
            Self::ByExperiment => "the experiment gives this variation to all",
            Self::TooFewVariations => "there are fewer than two variations",
            Self::Disabled => "experiments are switched off",
            Self::OtherPage => "this is for other pages",
            Self::Inactive => "this does not run",
            Self::NoValue => "the visitor lacks the attribute that decides the variation",
            Self::FilteredOut => "the visitor is outside its share",
            Self::OtherNamespace => "the visitor belongs to another experiment of the namespace",
            Self::ConditionFailed => "this is for others",
            Self::PrerequisiteFailed => "a feature that it depends on has another value",
            Self::UnknownHash => "its hash version is not known here",
            Self::EarlierVersion => "the visitor took part in an earlier version",
            Self::NotCovered => "the visitor falls outside the covered share",
            Self::OnlyForced => "only what is forced happens",
        }
    }
}
