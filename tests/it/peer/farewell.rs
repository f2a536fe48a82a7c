//! Connections that end before anything was heard of them, and who waited for them.

use gannet::Engine;

use super::{answer_one, ask, got, told};
use crate::support::engine_with;
use crate::support::peer::{
    END_HEADERS, END_STREAM, GOAWAY, HEADERS, Host, MAX_STREAMS, NO_ERROR, OK, frame, plain,
};

/// One at a time from the first on.
fn engine() -> Engine {
    let mut config = plain();
    config.initial_streams = 1;
    engine_with(config)
}

/// The answer, the goodbye and the end may well come in one piece: nothing of it says that there is
/// no server.
#[tokio::test]
async fn an_answer_and_the_end_in_one_breath_keep_nobody_from_the_next_connection() {
    for _ in 0..20 {
        let (host, engine) = (Host::bind().await, engine());
        let asked = [1, 2].map(|i| ask(&engine, host.post(vec![i])));
        let mut old = host.welcome(&[(MAX_STREAMS, 1)]).await;
        let stream = old.expect_requests(1).await[0];
        let goaway = [stream.to_be_bytes(), NO_ERROR.to_be_bytes()].concat();
        let said = [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, OK),
            frame(GOAWAY, 0, 0, &goaway),
        ];
        old.raw(&said.concat()).await;
        old.close().await;
        let mut new = host.welcome(&[]).await;
        answer_one(&mut new).await;
        for asked in asked {
            got(asked).await;
        }
    }
}

/// Of two, one was sent and may have been acted on. The other has only waited.
#[tokio::test]
async fn who_only_waited_is_not_told_that_the_server_may_have_acted() {
    for says_goodbye in [true, false] {
        let (host, engine) = (Host::bind().await, engine());
        let asked = [1, 2].map(|i| ask(&engine, host.post(vec![i])));
        let mut old = host.welcome(&[(MAX_STREAMS, 1)]).await;
        let stream = old.expect_requests(1).await[0];
        if says_goodbye {
            old.goaway(stream, NO_ERROR).await;
        }
        old.close().await;
        let mut new = host.welcome(&[]).await;
        answer_one(&mut new).await;
        let mut failed = 0;
        for asked in asked {
            if let Err(error) = told(asked).await {
                assert!(!error.is_unprocessed(), "{error:?}");
                failed += 1;
            }
        }
        assert_eq!(failed, 1, "with a goodbye: {says_goodbye}");
    }
}
