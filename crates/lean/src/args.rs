//! What the clients are told.

use std::error::Error;

/// What to fetch, and how often: `URL CA_FILE COUNT [BODY_SIZE [IN_FLIGHT]]`.
#[derive(Clone, Debug)]
pub struct Args {
    /// What is fetched.
    pub url: String,
    /// A file with the certificate to trust, in PEM.
    pub file: String,
    /// How often.
    pub count: usize,
    /// Bytes that each body must have. Default 1,024.
    pub body: usize,
    /// Fetches under way at once. Default 100.
    pub in_flight: usize,
}

impl Args {
    /// Those of this program.
    ///
    /// # Errors
    ///
    /// If some are missing, or no numbers.
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let [url, file, count, rest @ ..] = &args[..] else {
            return Err("URL, CA_FILE and COUNT are missing".into());
        };
        Ok(Self {
            url: url.clone(),
            file: file.clone(),
            count: count.parse()?,
            body: rest.first().map_or(Ok(1024), |size| size.parse())?,
            in_flight: rest.get(1).map_or(Ok(100), |size| size.parse())?,
        })
    }
}
