//! Requests, as hosts hand them in.

/// A body holds at most this many bytes, as at the backend's door.
pub const MAX_BODY: usize = 512 * 1024;

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Options,
    /// Any other one; only the customer's site knows what to do with it.
    Other,
}

impl Method {
    /// By its name.
    pub fn named(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get | Self::Other => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Options => "OPTIONS",
        }
    }
}

/// What the platform says of where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166, two letters.
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    /// Whether the platform takes it for a program.
    pub bot: bool,
}

/// A request whose body was read.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// As it was written, percent signs and all.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub place: Place,
    /// The address that it comes from.
    pub address: Option<String>,
}

impl Request {
    /// A request for an address.
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::Get,
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            place: Place::default(),
            address: None,
        }
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Whether who asks has what the entity tag names.
    pub fn has(&self, tag: &str) -> bool {
        self.header("if-none-match").is_some_and(|known| {
            known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
        })
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.headers.iter().filter(|(header, _)| header == "cookie");
        let pairs = headers.flat_map(|(_, value)| value.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|found| found.1)
    }

    /// A parameter of the query, as far as it needs no decoding.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|found| found.1)
    }
}
