//! Between the gateway's usage channel and the writer: ends the stream of records when the process stops, although the
//! gateway, and with it the sending side, lives on in many hands.

use domain::usage::UsageRecord;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Records that may wait between the two channels; the gateway's own channel is the buffer that counts.
const CAPACITY: usize = 1024;

/// The receiving end for the writer, and the task that feeds it until `stop` and then passes on what is still there.
pub fn relay(
    mut records: mpsc::Receiver<UsageRecord>,
) -> (mpsc::Receiver<UsageRecord>, impl FnOnce(CancellationToken) -> BoxFuture<'static, ()>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let task = move |stop: CancellationToken| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let record = tokio::select! {
                    record = records.recv() => record,
                    () = stop.cancelled() => {
                        records.close();
                        break;
                    }
                };
                let Some(record) = record else { return };
                if sender.send(record).await.is_err() {
                    return;
                }
            }
            while let Some(record) = records.recv().await {
                if sender.send(record).await.is_err() {
                    return;
                }
            }
        })
    };
    (receiver, task)
}

#[cfg(test)]
mod tests {
    use domain::{
        endpoint::Endpoint,
        id::{KeyId, UserId},
        usage::Outcome,
    };

    use super::*;

    fn record(request_id: u64) -> UsageRecord {
        UsageRecord {
            request_id,
            at: 0,
            user: UserId::new("0123456789ab").unwrap(),
            key: KeyId::new("0123456789ab").unwrap(),
            model: None,
            backend: None,
            endpoint: Endpoint::Tags,
            status: 200,
            bytes_in: 0,
            bytes_out: 0,
            prompt_tokens: None,
            completion_tokens: None,
            tokens_estimated: false,
            queue_us: 0,
            load_us: 0,
            ttft_us: None,
            total_us: 0,
            outcome: Outcome::Complete,
        }
    }

    #[tokio::test]
    async fn what_was_recorded_before_the_stop_reaches_the_writer() {
        let (sender, records) = mpsc::channel(16);
        let (mut received, relay) = relay(records);
        for number in 0..10 {
            sender.try_send(record(number)).map_err(|_| "full").unwrap();
        }
        let stop = CancellationToken::new();
        stop.cancel();
        relay(stop).await;
        assert!(sender.try_send(record(10)).is_err(), "nothing is taken after the stop");
        let mut numbers = Vec::new();
        while let Some(record) = received.recv().await {
            numbers.push(record.request_id);
        }
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }
}
